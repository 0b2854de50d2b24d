import { expect, test } from 'vitest'
import { Lender } from '../../src/upstream/lender.ts'

interface Thing {
  readonly name: number
}

function setting(max: number, each = 1) {
  let made = 0
  const lender = new Lender<Thing>(max, () => ({ name: ++made }), each)
  const lent: Thing[] = []
  const lend = (fresh?: boolean): number => {
    const before = lent.length
    lender.lend((thing) => lent.push(thing), fresh)
    return lent[before]?.name ?? 0
  }
  const thing = (name: number): Thing => lent.find((one) => one.name === name) as Thing
  return { lender, lend, thing, made: () => made }
}

test('what was used last is lent first, and what is spent when there is no other', () => {
  const { lender, lend, thing } = setting(3)
  expect([lend(), lend(), lend(), lend()]).toEqual([1, 2, 3, 0])
  expect(lender.waiting).toBe(1)
  lender.giveBack(thing(1))
  expect(lender.waiting).toBe(0)
  lender.giveBack(thing(2))
  lender.giveBack(thing(3), true)
  expect([lend(), lend()]).toEqual([2, 3])
})

test('a fresh one is spent or new; only where there can be neither is it one that was used', () => {
  const { lender, lend, thing } = setting(3)
  lend()
  lend()
  lender.giveBack(thing(1))
  lender.giveBack(thing(2), true)
  expect([lend(true), lend(true), lend(true), lend(true)]).toEqual([2, 3, 1, 0])
})

test('of things that serve several each is lent so often, and none that is retired', () => {
  const { lender, lend, thing } = setting(1, 2)
  expect([lend(), lend(), lend()]).toEqual([1, 1, 0])
  lender.giveBack(thing(1))
  lender.retire(thing(1))
  lender.retire(thing(1))
  lender.giveBack(thing(1), true)
  expect([lend(), lend(), lend()]).toEqual([2, 2, 0])
})
