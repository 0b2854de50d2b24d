import { expect, test } from 'vitest'
import { Instruments, type Series } from '../../src/telemetry/instruments.ts'

const like = { unit: '1', description: 'of a test' }
const series: readonly Series[] = [
  { name: 'first', kind: 'counter', ...like, attributes: {} },
  { name: 'split', kind: 'counter', ...like, attributes: { of: 'a' }, split: [{ by: 'x' }, { by: 'y' }] },
  {
    name: 'sizes',
    kind: 'histogram',
    ...like,
    attributes: { of: 'a' },
    split: [{ by: 'x' }, { by: 'y' }],
    bounds: [1, 2],
  },
  { name: 'level', kind: 'gauge', ...like, attributes: {}, split: [{ by: 'x' }, { by: 'y' }] },
  { name: 'last', kind: 'counter', ...like, attributes: {} },
]

const briefly = (instruments: Instruments, others: readonly Instruments[] = []) =>
  instruments.read(others).map(({ name, attributes, value, buckets }) => [name, attributes, value, ...(buckets ?? [])])

test('what one thread writes another reads, each number in its own place', () => {
  const one = new Instruments(series)
  const other = new Instruments(series, one.layout)
  one.slot('first', {}).add(1)
  one.slot('split', { of: 'a' }, 1).add(2)
  one.histogram('sizes', { of: 'a' }).record(1, 1.5)
  one.slot('level', {}).set(3)
  one.slot('last', {}).add(4)
  expect(briefly(other)).toEqual([
    ['first', {}, 1],
    ['split', { of: 'a', by: 'x' }, 0],
    ['split', { of: 'a', by: 'y' }, 2],
    ['sizes', { of: 'a', by: 'y' }, 1.5, 0, 1, 0],
    ['level', { by: 'x' }, 3],
    ['level', { by: 'y' }, 0],
    ['last', {}, 4],
  ])
})

test('an edge of a bucket is within it, and what is beyond all edges is in the last', () => {
  const instruments = new Instruments(series)
  const sizes = instruments.histogram('sizes', { of: 'a' })
  for (const value of [0, 1, 1.01, 2, 2.01, 1e9]) sizes.record(0, value)
  const [read] = instruments.read().filter(({ name }) => name === 'sizes')
  expect(read?.buckets).toEqual([2, 2, 2])
  expect(read?.value).toBeCloseTo(1e9 + 6.02)
})

test('a histogram in which nothing was recorded is not read', () => {
  expect(new Instruments(series).read().map(({ name }) => name)).not.toContain('sizes')
})

test('the numbers of several loops are read as one', () => {
  const [one, other] = [new Instruments(series), new Instruments(series)]
  one.slot('first', {}).add(1)
  other.slot('first', {}).add(2)
  other.histogram('sizes', { of: 'a' }).record(0, 5)
  expect(briefly(one, [other]).filter(([name]) => name === 'first' || name === 'sizes')).toEqual([
    ['first', {}, 3],
    ['sizes', { of: 'a', by: 'x' }, 5, 0, 0, 1],
  ])
})

test('only gauges are 0 again when their loop has died', () => {
  const instruments = new Instruments(series)
  instruments.slot('first', {}).add(1)
  instruments.slot('level', {}, 1).add(2)
  instruments.slot('last', {}).add(3)
  instruments.zeroGauges()
  expect(instruments.read().map(({ value }) => value)).toEqual([1, 0, 0, 0, 0, 3])
})

test('a series that is not in the list is a bug', () => {
  const instruments = new Instruments(series)
  expect(() => instruments.slot('split', { of: 'b' })).toThrow('no such series: split {"of":"b"}')
})
