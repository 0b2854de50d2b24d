import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/**
 * Closes a run with its totals, alone on a line and without colour: `N passed, N failed, N skipped`.
 * A file that could not be run, and an error outside of every test, count as one failure each. No test at all fails the run.
 */
export class Totals implements Reporter {
  /** Prints the totals once all files have run. */
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state]++
      for (const suite of [module, ...module.children.allSuites()]) count.failed += suite.errors().length
    }
    // A test without a result was under way when the run was broken off.
    const { passed, skipped } = count
    const failed = count.failed + count.pending
    if (passed + failed === 0) process.exitCode = 1
    process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
  }
}
