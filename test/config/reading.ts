import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'

import type { Fault } from '../../src/config/fault.ts'
import { load, parse, type Loaded, type Options } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'

/** One route and its upstream: what a test needs when it is about something else. */
export const ROUTES = `
upstreams:
  shop: { endpoints: ["http://127.0.0.1:4101"] }
routes:
  - match: ANY /shop/*
    forward: shop
`

/** Reads a config from text. */
export function read(text: string, options: Partial<Options> = {}): Loaded {
  return parse(text, { file: 'test.yaml', env: {}, ...options })
}

/** The faults of a config, each as `line:column: message`. */
export function faults(text: string, options: Partial<Options> = {}): string[] {
  return read(text, options).faults.map(line)
}

/** The config that a text stands for; fails when it has faults. */
export function good(text: string, options: Partial<Options> = {}): Config {
  const { config, faults: wrong } = read(text, options)
  if (config === undefined) throw new Error(wrong.map(line).join('\n'))
  return config
}

/** Files in a folder of their own, by path; the folder goes at the end of the test. */
export function folder(files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), 'oneloop-config-'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return {
    root,
    /** Loads one of the files, and tells faults and warnings as `file:line:column: message`. */
    async load(path: string, options: Partial<Options> = {}) {
      const loaded = await load(join(root, path), { env: {}, ...options })
      const told = (fault: Fault): string => `${relative(root, fault.file)}:${line(fault)}`
      return {
        config: loaded.config,
        faults: loaded.faults.map(told),
        warnings: loaded.warnings.map(told),
        files: loaded.files.map((file) => relative(root, file)).sort(),
      }
    },
    [Symbol.dispose]: () => rmSync(root, { recursive: true }),
  }
}

function line({ line: row, column, message }: Fault): string {
  return `${row}:${column}: ${message}`
}
