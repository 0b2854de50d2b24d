import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { familyOf } from '../../src/ops/prometheus.ts'
import { vitals } from '../../src/ops/vitals.ts'
import type { Kind } from '../../src/telemetry/instruments.ts'
import { ask, request } from '../support/client.ts'
import { startJsonOrigin } from '../support/origin.ts'
import { startProcess } from '../support/process.ts'
import { promtool } from '../support/promtool.ts'

// Waits for a process of its own, which on a busy machine takes its time to start.
vi.setConfig({ testTimeout: 60_000 })

const root = resolve(import.meta.dirname, '../..')
const rulesFile = join(root, 'deploy/prometheus/rules.yaml')

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly annotations: Readonly<Record<string, string>>
}

interface Panel {
  readonly type: string
  readonly title: string
  readonly targets?: readonly { readonly expr: string }[]
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] }
  readonly annotations: { readonly list: readonly { readonly expr: string }[] }
}

const { groups } = parse(readFileSync(rulesFile, 'utf8')) as { groups: readonly { rules: readonly Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)
const dashboard = JSON.parse(readFileSync(join(root, 'deploy/grafana/oneloop.json'), 'utf8')) as Dashboard

/** What the dashboard asks Prometheus, with something in place of what Grafana fills in. */
const asked = [
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr),
].map((expr) => expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$\w+/g, '.*'))

/** The expressions of the rules, and those that their texts tell the reader to try. */
const ruled = rules.flatMap(({ expr, annotations }) => [
  expr,
  ...Object.values(annotations)
    .flatMap((text) => [...text.matchAll(/`([^`]*)`/g)].map(([, code = '']) => code.replaceAll(/\{\{.*?\}\}/g, 'x')))
    .filter((code) => /^(?:sum|topk|oneloop_)/.test(code)),
])

test('promtool finds no fault in the rules', () => {
  expect(promtool(['check', 'rules', rulesFile])).toBe('')
})

test('each alert fires when it should, and none when all is well', () => {
  const file = join(import.meta.dirname, 'rules.test.yaml')
  expect(promtool(['test', 'rules', file])).toBe('')
  const firing = [...readFileSync(file, 'utf8').matchAll(/alertname="(\w+)"/g)].map(([, name = '']) => name)
  expect(firing.toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted())
})

test('promtool finds no fault in what the dashboard asks, nor in what the texts of alerts tell to ask', () => {
  const folder = mkdtempSync(join(tmpdir(), 'oneloop-rules-'))
  const file = join(folder, 'asked.yaml')
  const made = [...asked, ...ruled].map((expr, i) => ({ record: `asked_${i}`, expr }))
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'asked', rules: made }] }))
  expect(promtool(['check', 'rules', file])).toBe('')
  rmSync(folder, { recursive: true })
})

test('the panels of the dashboard lie beside each other, and each asks something', () => {
  const places = dashboard.panels.map(({ gridPos: { x, y, w, h } }) => ({
    left: x,
    right: x + w,
    top: y,
    bottom: y + h,
  }))
  places.forEach((a, i) => {
    expect(a.right).toBeLessThanOrEqual(24)
    for (const b of places.slice(i + 1)) {
      const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top
      expect(apart).toBe(true)
    }
  })
  const silent = dashboard.panels.filter(({ type, targets = [] }) => type !== 'row' && targets.length === 0)
  expect(silent).toEqual([])
})

// What a gateway counts once all of this has happened to it.
const config = (origin: string) => `listen: { host: 127.0.0.1, port: 0 }
ops: { port: 0 }
upstreams:
  shop: { endpoints: ["${origin}"], retry: 0 }
  nowhere: { endpoints: ["http://127.0.0.1:1"] }
routes:
  - match: GET /partial
    name: partial
    steps:
      one: { call: GET shop /ok, cache: 1m }
      two: { call: GET nowhere /, optional: true }
  - match: GET /failing
    steps: { one: { call: GET nowhere / } }
`

/** Which labels each name of a scrape has. */
function labelsOf(text: string): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>()
  for (const [, name = '', labels = ''] of text.matchAll(/^([a-z_:0-9]+)(?:\{(.*)\})? \S+$/gim)) {
    const all = names.get(name) ?? new Set(['job', 'instance'])
    names.set(name, all)
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) all.add(label)
  }
  return names
}

// What only some systems tell, such as a quota of CPU time.
const elsewhere = new Map(
  Object.entries(vitals)
    .filter(([, { of }]) => of === 'cgroup' || of === 'descriptors')
    .map(([name, { unit, kind }]: [string, { unit: string; kind: Kind }]) => {
      return [familyOf({ name, unit, kind }) + (kind === 'counter' ? '_total' : ''), new Set(['job', 'instance'])]
    }),
)

test('every name and every label in the rules and on the dashboard is in what a gateway tells', async () => {
  await using origin = await startJsonOrigin({ '/ok': {} })
  await using gateway = await startProcess(config(origin.url))
  const scrape = async () => labelsOf(await (await fetch(`${gateway.opsUrl}/metrics`)).text())
  for (const path of ['/partial', '/partial', '/failing', '/none']) await ask(gateway.port, request('GET', path))
  const queries = dashboard.templating.list.map(({ query }) => JSON.stringify(query))
  const all = [...asked, ...ruled, ...queries]
  const metrics = all.map((expr) => expr.replaceAll(/\bby \([^)]*\)|\{[^}]*\}/g, ''))
  const names = metrics.flatMap((expr) => expr.match(/\b(?:oneloop|http|nodejs|v8js|process)_\w+/g) ?? [])
  // Variables of the dashboard name a label behind the metric.
  const used = [...new Set(names)].filter((name) => name !== 'http_route')
  expect(used.length).toBeGreaterThan(30)

  let told = await scrape()
  const missing = (): string[] => used.filter((name) => !told.has(name) && !elsewhere.has(name))
  const deadline = performance.now() + 30_000
  // What is counted in the last second is told in the next.
  while (missing().length > 0 && performance.now() < deadline) {
    await ask(gateway.port, request('GET', '/partial'))
    told = await scrape()
  }
  expect(missing()).toEqual([])

  const wrong = all.flatMap((expr) =>
    [...expr.matchAll(/\b((?:oneloop|http|nodejs|v8js|process)_\w+)\{([^}]*)\}/g)].flatMap(
      ([, name = '', inner = '']) =>
        [...inner.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)]
          .map(([, label = '']) => label)
          .filter((label) => !(told.get(name) ?? elsewhere.get(name))?.has(label))
          .map((label) => `${name}{${label}}`),
    ),
  )
  expect(wrong).toEqual([])
  const known = new Set([...told.values()].flatMap((labels) => [...labels]))
  const grouped = all.flatMap((expr) =>
    [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, by = '']) => by.split(/, */)),
  )
  expect(grouped.filter((label) => !known.has(label))).toEqual([])
})
