import { expect, test } from 'vitest'
import { Slices } from '../../src/telemetry/slices.ts'

test('what one side takes down the other reads, in order and from where it was', () => {
  const writer = new Slices()
  const reader = new Slices(writer.buffer)
  writer.add(1, 7)
  writer.add(2, 8)
  expect(reader.since(0)).toEqual([
    { atMs: 1, account: 7 },
    { atMs: 2, account: 8 },
  ])
  const from = reader.count
  writer.add(3, 9)
  expect(reader.since(from)).toEqual([{ atMs: 3, account: 9 }])
})

test('the reader says whether it wants them', () => {
  const writer = new Slices()
  const reader = new Slices(writer.buffer)
  expect(writer.wanted).toBe(false)
  reader.wanted = true
  expect(writer.wanted).toBe(true)
})

test('what was not read in time is left out, never mixed up', () => {
  const slices = new Slices()
  for (let i = 0; i < 100_000; i++) slices.add(i, i % 5)
  const read = slices.since(0)
  expect(read.at(-1)).toEqual({ atMs: 99_999, account: 4 })
  expect(read.every(({ atMs, account }, i) => account === atMs % 5 && atMs === (read[0]?.atMs ?? 0) + i)).toBe(true)
})
