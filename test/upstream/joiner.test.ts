import { expect, it } from 'vitest'
import { Lender } from '../../src/upstream/lender.ts'
import { Joiner } from '../../src/upstream/joiner.ts'

interface Thing {
  readonly name: string
}

function start(max: number, most: number) {
  let made = 0
  const got: string[] = []
  const joiner = new Joiner<Thing>(new Lender<Thing>(max, () => ({ name: String(++made) })), most)
  const things = new Map<string, Thing>()
  const use = (who: string) => (thing: Thing) => {
    things.set(who, thing)
    got.push(`${who}${thing.name}`)
  }
  return {
    joiner,
    got,
    join: (who: string) => joiner.join(use(who)),
    lend: (who: string) => joiner.lend(use(who)),
    back: (who: string, spent = false) => joiner.giveBack(things.get(who) as Thing, spent),
  }
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

it('lends the same to those who ask within a turn, up to so many', async () => {
  const { join, got } = start(9, 3)
  for (const who of 'abcd') join(who)
  await turn()
  join('e')
  expect(got).toEqual(['a1', 'b1', 'c1', 'd2', 'e3'])
})

it('lends alone what is asked for alone, and to nobody beside', () => {
  const { join, lend, got } = start(9, 3)
  join('a')
  lend('b')
  join('c')
  expect(got).toEqual(['a1', 'b2', 'c1'])
})

it('takes a thing back when the last has given it back', async () => {
  const { join, lend, back, got } = start(1, 3)
  join('a')
  join('b')
  lend('c')
  back('b')
  expect(got).toEqual(['a1', 'b1'])
  back('a')
  expect(got).toEqual(['a1', 'b1', 'c1'])
  back('c')
  await turn()
  join('d')
  expect(got.at(-1)).toBe('d1')
})

it('lets nobody come to a thing that one has given back already', () => {
  const { join, back, got } = start(9, 3)
  join('a')
  join('b')
  back('a')
  join('c')
  expect(got).toEqual(['a1', 'b1', 'c2'])
})

it('lends what one of those who shared it has spent only when there is no other', async () => {
  const { join, lend, back, got } = start(2, 2)
  lend('x')
  join('a')
  join('b')
  back('a', true)
  back('b')
  back('x')
  await turn()
  join('c')
  expect(got.at(-1)).toBe('c1')
})

it('has those who wait share what comes back, and those who are forgotten not have it', async () => {
  const { joiner, join, lend, back, got } = start(1, 2)
  lend('a')
  const forgotten = (): void => void got.push('never')
  joiner.join(forgotten)
  join('b')
  expect(joiner.waiting).toBe(2)
  joiner.forget(forgotten)
  expect(joiner.waiting).toBe(1)
  back('a')
  join('c')
  join('d')
  expect(got).toEqual(['a1', 'b1', 'c1'])
  await turn()
  back('b')
  back('c')
  expect(got).toEqual(['a1', 'b1', 'c1', 'd1'])
})

it('makes another in the stead of one that is retired', () => {
  const { joiner, join, got } = start(1, 2)
  let thing: Thing | undefined
  joiner.join((one) => (thing = one))
  joiner.retire(thing as Thing)
  joiner.giveBack(thing as Thing)
  join('a')
  expect(got).toEqual(['a2'])
})
