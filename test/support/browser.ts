import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Page, chromium } from 'playwright-core'

/** A page in a real browser, and all that went wrong on it. */
export interface Browsed extends AsyncDisposable {
  readonly page: Page
  /** Errors of its scripts, warnings of its console, and requests that failed. */
  readonly faults: readonly string[]
  /** The hosts that it has asked for something. */
  readonly hosts: ReadonlySet<string>
}

/** Opens a page in Chromium, without a window, in a profile of its own. */
export async function browse(url: string, viewport = { width: 1280, height: 900 }): Promise<Browsed> {
  const folder = mkdtempSync(join(tmpdir(), 'oneloop-browser-'))
  const context = await chromium.launchPersistentContext(folder, {
    // The system's own: test/setup/programs.ts sees to it.
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    viewport,
    // As root it needs to be told so; the others keep it from asking Google's hosts for this and that.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  const faults: string[] = []
  const hosts = new Set<string>()
  const page = context.pages()[0] ?? (await context.newPage())
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text())
  })
  page.on('requestfailed', (request) => faults.push(`${request.url()} ${request.failure()?.errorText}`))
  page.on('request', (request) => hosts.add(new URL(request.url()).host))
  await page.goto(url)
  return {
    page,
    faults,
    hosts,
    async [Symbol.asyncDispose]() {
      await context.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
