import { describe, expect, it, vi } from 'vitest'
import { Eventual } from '../../src/call/eventual.ts'

describe('an eventual', () => {
  it('tells its value within resolve, through all that were made of it', () => {
    const eventual = new Eventual<number>()
    const told: unknown[] = []
    void eventual.then((value) => value + 1).then((value) => told.push(value))
    void eventual.then((value) => told.push(value))
    void eventual.then((value) => told.push(-value))
    eventual.resolve(1)
    expect(told).toEqual([2, 1, -1])
  })

  it('tells it at once to whoever asks later', () => {
    const eventual = new Eventual<string>()
    eventual.resolve('first')
    eventual.resolve('second')
    const told: string[] = []
    void eventual.then((value) => told.push(value))
    expect(told).toEqual(['first'])
  })

  it('waits for what its users give back, promise or eventual', async () => {
    const eventual = new Eventual<number>()
    const inner = new Eventual<string>()
    const awaited = Promise.all([
      eventual,
      eventual.then(() => Promise.resolve('promise')),
      eventual.then(() => inner),
      eventual.then(),
      eventual.then(() => null),
    ])
    eventual.resolve(7)
    inner.resolve('eventual')
    expect(await awaited).toEqual([7, 'promise', 'eventual', 7, null])
  })

  it('has what a user throws be nobody else’s matter, and yet not be lost', () => {
    const later = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation(() => {})
    const eventual = new Eventual<number>()
    const told: number[] = []
    const bug = new Error('a bug')
    void eventual.then(() => {
      throw bug
    })
    void eventual.then((value) => told.push(value))
    eventual.resolve(1)
    const [thrown] = later.mock.calls.map(([run]) => run)
    later.mockRestore()
    expect(told).toEqual([1])
    expect(thrown).toThrow(bug)
  })
})
