import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Instruments, type Series } from '../../src/telemetry/instruments.ts'
import { NoRoom, lengthOf } from '../../src/telemetry/layout.ts'

const like = { unit: '1', description: 'of a test' }
const counter = (name: string): Series => ({ name, kind: 'counter', ...like, attributes: {} })
const histogram = (name: string, edges: number): Series => ({
  ...counter(name),
  kind: 'histogram',
  bounds: Array.from({ length: edges }, (_, i) => i + 1),
})

const valuesOf = (instruments: Instruments): unknown[] =>
  instruments.read().map(({ name, value, buckets }) => [name, value, ...(buckets ?? [])])

test('series that persist keep their values, new ones begin at 0, and those that come back begin anew', () => {
  const first = new Instruments([counter('a'), histogram('b', 2), counter('c')])
  first.slot('a', {}).add(1)
  first.histogram('b', {}).record(0, 1.5)
  first.slot('c', {}).add(3)
  const second = first.changed([counter('d'), counter('c'), histogram('b', 2)])
  expect(valuesOf(second)).toEqual([
    ['d', 0],
    ['c', 3],
    ['b', 1.5, 0, 1, 0],
  ])
  const third = second.changed([counter('a'), counter('c')])
  expect(valuesOf(third)).toEqual([
    ['a', 0],
    ['c', 3],
  ])
})

test('who still writes by the old list is read by the new one', () => {
  const first = new Instruments([counter('a'), counter('b')])
  const slot = first.slot('b', {})
  const second = first.changed([counter('b'), counter('c')])
  slot.add(1)
  second.slot('b', {}).add(1)
  expect(valuesOf(second)).toEqual([
    ['b', 2],
    ['c', 0],
  ])
})

test('another thread, told where some series lie, writes there', () => {
  const all = new Instruments([counter('a'), counter('b')]).changed([counter('b'), counter('c'), counter('a')])
  const some = [counter('a'), counter('c')]
  const other = new Instruments(some, all.layoutOf(some))
  other.slot('a', {}).add(1)
  other.slot('c', {}).add(2)
  expect(valuesOf(all)).toEqual([
    ['b', 0],
    ['c', 2],
    ['a', 1],
  ])
})

test('a series that is split otherwise is another', () => {
  const split = (by: readonly string[]): Series => ({ ...counter('a'), split: by.map((one) => ({ by: one })) })
  const first = new Instruments([split(['x', 'y'])])
  first.slot('a', {}, 1).add(1)
  expect(first.changed([split(['x', 'y'])]).read()[1]?.value).toBe(1)
  expect(valuesOf(first.changed([split(['y', 'x'])]))).toEqual([
    ['a', 0],
    ['a', 0],
  ])
})

test('however lists follow each other no two series share a number, values persist, and memory is used again', () => {
  const series = fc.uniqueArray(fc.nat(12), { maxLength: 12 }).map((names) =>
    // The name tells the size, so that a name that comes again is the same series.
    names.map((name) => (name % 3 === 0 ? counter(`s${name}`) : histogram(`s${name}`, name % 4))),
  )
  fc.assert(
    fc.property(fc.array(series, { minLength: 1, maxLength: 20 }), (lists) => {
      let instruments = new Instruments([])
      const expected = new Map<string, number>()
      for (const list of lists) {
        instruments = instruments.changed(list)
        for (const name of expected.keys()) if (!list.some((one) => one.name === name)) expected.delete(name)
        for (const { name } of list) expected.set(name, (expected.get(name) ?? 0) + 1)
        for (const one of list) {
          const at = instruments.place(one.name, {})
          for (let i = 0; i < lengthOf(one); i++)
            instruments.values[at + i] = (instruments.values[at + i] as number) + 1
        }
        for (const one of list) {
          const at = instruments.place(one.name, {})
          const all = [...instruments.values.subarray(at, at + lengthOf(one))]
          expect(new Set(all)).toEqual(new Set([expected.get(one.name)]))
        }
      }
      // All thirteen at once take 45 numbers; with gaps that are too small for what comes, not twice as many.
      expect(instruments.values.length).toBeLessThan(90)
    }),
  )
})

test('what there is no room for is told, and changes nothing', () => {
  const first = new Instruments([counter('a')])
  first.slot('a', {}).add(1)
  // Only its length is looked at.
  const huge: Series = { ...counter('huge'), split: { length: 40_000_000 } as unknown as readonly [] }
  expect(() => first.changed([counter('a'), huge])).toThrow(NoRoom)
  expect(valuesOf(first)).toEqual([['a', 1]])
})
