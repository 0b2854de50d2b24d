import { defineConfig } from 'vitest/config'
import { Totals } from './test/support/reporter.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Processes, not threads: a data loop is a worker thread itself, and its signals and exits must be real.
    pool: 'forks',
    // Two at once: a test mostly waits for sockets, and more would disturb those that look at the clock.
    maxWorkers: 2,
    // Some look at clocks or at what the system does with its last descriptors. One that needs its second run is told as
    // such ("retry x1"): it is to be mended, but keeps nobody's work from landing.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: ['default', new Totals()],
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text', 'html'] },
  },
})
