import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { failures } from '../src/call/failure.ts'
import { format } from '../src/config/fault.ts'
import { parse } from '../src/config/load.ts'
import { meaning } from '../src/meaning.ts'
import { revisionReading } from '../src/ops/readings.ts'
import { vitals } from '../src/ops/vitals.ts'
import { seriesOf } from '../src/telemetry/meters.ts'

const root = resolve(import.meta.dirname, '..')

interface Block {
  readonly at: string
  readonly text: string
}

/** The YAML blocks of a document that are whole configs: they have routes. */
function configsOf(file: string): Block[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(/^( *)```ya?ml\n([^]*?)^ *```$/gm)]
    .map(({ 1: indent = '', 2: block = '', index }) => ({
      at: `${file}:${text.slice(0, index).split('\n').length}`,
      text: block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }))
    .filter((block) => /^routes:/m.test(block.text))
}

function faultsOf({ text }: Block): string[] {
  // A variable stands for what only the reader knows.
  const env = Object.fromEntries([...text.matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => [name, 'value']))
  const { faults, warnings } = parse(text, { file: join(root, 'config/block.yaml'), env, meaning })
  return [...faults, ...warnings].map(format)
}

test('every whole config in README.md loads, without a fault or a warning, and there is one', () => {
  const blocks = configsOf('README.md')
  expect(blocks.length).toBeGreaterThan(0)
  expect(blocks.flatMap((block) => faultsOf(block).map((fault) => `${block.at}: ${fault}`))).toEqual([])
})

test('every whole config in docs/ loads, but for what it says of things that are not yet supported', () => {
  const blocks = globSync('docs/**/*.md', { cwd: root }).flatMap(configsOf)
  const faults = blocks.flatMap((block) => faultsOf(block).map((fault) => `${block.at}: ${fault}`))
  expect(faults.filter((fault) => !fault.includes(': not yet supported: '))).toEqual([])
})

const operating = readFileSync(join(root, 'docs/operating.md'), 'utf8')

/** The tables of docs/operating.md under a heading: the names that begin each row, and what stands beside them. */
function rowsOf(heading: string): Map<string, string> {
  const [, section = ''] = operating.split(new RegExp(`^## ${heading}$`, 'm'))
  const rows = (section.split(/^## /m)[0] ?? '').matchAll(/^\| ((?:`[^`]+`(?:, )?)+) +\| ([^|]*?) +\|/gm)
  return new Map(
    [...rows].flatMap(([, names = '', beside = '']) =>
      [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']): [string, string] => [name, beside]),
    ),
  )
}

test('docs/operating.md has a row for each failure, with its status, and for each number', () => {
  const told = rowsOf('Failures')
  for (const [name, { status }] of Object.entries(failures)) expect(told.get(name)).toMatch(String(status))
  expect([...told.keys()].toSorted()).toEqual(Object.keys(failures).toSorted())
  const names = new Set(seriesOf([{ name: 'r', methods: ['GET'], upstreams: [] }], ['u']).map(({ name }) => name))
  for (const name of [...Object.keys(vitals), revisionReading('').name]) names.add(name)
  expect([...rowsOf('Numbers').keys()].toSorted()).toEqual([...names].toSorted())
})

const sourcesOf = (pattern: string): string =>
  globSync(pattern, { cwd: join(root, 'src') })
    .map((file) => readFileSync(join(root, 'src', file), 'utf8'))
    .join('\n')

test('docs/operating.md has a row for each line of the log', () => {
  const lines = sourcesOf('**/*.ts').matchAll(/\b(?:log|write)\(\s*[^,\n]+,\s*'([a-z][^'\n]+)'/g)
  const written = new Set([...lines].map(([, line = '']) => line))
  expect(written.size).toBeGreaterThan(10)
  const told = new Set([...rowsOf('Log lines').keys(), ...rowsOf('Log lines about upstreams').keys()])
  expect([...written].filter((line) => !told.has(line))).toEqual([])
})

test('docs/operating.md has a row for each attribute of spans that is our own', () => {
  const attributes = new Set(
    [...sourcesOf('ops/spans.ts').matchAll(/'(oneloop\.[\w.]+)'/g)].map(([, name = '']) => name),
  )
  expect([...rowsOf('Traces and a collector').keys()].toSorted()).toEqual([...attributes].toSorted())
})
