import { expect, test } from 'vitest'
import { accountSeries, callAccounts, routeAccounts } from '../../src/telemetry/accounts.ts'
import { Instruments } from '../../src/telemetry/instruments.ts'
import { Job, Ledger } from '../../src/telemetry/ledger.ts'
import { seriesOf } from '../../src/telemetry/meters.ts'
import { Rest, namedIn, standingOf } from '../../src/telemetry/standing.ts'

const route = { name: 'r', methods: ['GET'], upstreams: ['u'] }

function setting() {
  const instruments = new Instruments(seriesOf([route], ['u']))
  const ledger = new Ledger(instruments)
  const accounts = { ...routeAccounts(instruments, 'r'), ...callAccounts(instruments, 'r', 'u') }
  /** What is charged so far, by the account's own words, in ms. */
  const charged = (): Record<string, number> => {
    const spent = instruments.read().filter(({ name, value }) => name === 'oneloop.loop.time' && value > 0)
    return Object.fromEntries(
      spent.map(({ attributes: { 'http.route': __, ...attributes }, value }) => [
        Object.values(attributes).join(' '),
        value * 1_000,
      ]),
    )
  }
  return { instruments, ledger, accounts, charged, job: new Job(ledger, true) }
}

/** Keeps the loop busy, and says for how long. */
function burn(ms: number): number {
  const began = performance.now()
  while (performance.now() - began < ms);
  return performance.now() - began
}

test('time is charged to the account that is on, until another is', () => {
  const { ledger, accounts, charged, job } = setting()
  ledger.switch(accounts.bind, null)
  const bound = burn(3)
  job.on(accounts.parse)
  const parsed = burn(6)
  job.off()
  const { 'u bind direct': bind, 'u parse direct': parse } = charged() as Record<string, number>
  expect([bind, parse].every((ms) => ms !== undefined)).toBe(true)
  expect(bind).toBeGreaterThanOrEqual(bound)
  expect(parse).toBeGreaterThanOrEqual(parsed)
  // The one that was off a moment later knows of it, the other one is nobody's.
  expect(job.busyMs).toBe(parse)
})

test('what goes before an account is kept apart, as having led to it; of a wait it is not charged', async () => {
  const { ledger, accounts, charged, job } = setting()
  job.on(accounts.send)
  job.off()
  const idle = performance.eventLoopUtilization().idle
  await new Promise((resolve) => setTimeout(resolve, 50))
  const slept = performance.eventLoopUtilization().idle - idle
  const before = charged()['u receive arrival'] ?? 0
  const began = ledger.since
  job.on(accounts.receive)
  const passed = ledger.since - began
  job.off()
  // On a busy machine what is not slept may be too long to be believed; then it is nobody's.
  expect((charged()['u receive arrival'] ?? 0) - before).toBeLessThanOrEqual(passed - slept + 1)
})

test('what took longer than any socket read is not blamed on who came next, but where an operator may go on', () => {
  const { accounts, charged, job } = setting()
  job.on(accounts.send)
  job.off()
  const before = charged()['u receive arrival']
  burn(10)
  job.on(accounts.receive)
  job.off()
  expect(charged()['u receive arrival']).toBe(before)
  const burnt = burn(10)
  job.on(accounts.transform)
  job.off()
  expect(charged()['transform arrival']).toBeGreaterThanOrEqual(burnt)
})

test('with the ledger off nothing is charged', () => {
  const { instruments, accounts, charged } = setting()
  const job = new Job(new Ledger(instruments, false), true)
  expect(job.on(accounts.send)).toBe(0)
  expect(job.on(accounts.receive)).toBe(0)
  job.off()
  expect(charged()).toEqual({})
})

test('whoever looks from outside sees what is on, for how long, and what cannot be named', () => {
  const { instruments, ledger, accounts, charged } = setting()
  const rest = new Rest()
  expect(standingOf(instruments).account).toBeNull()
  ledger.switch(accounts.parse, null)
  const burnt = burn(5)
  const { account, forMs } = standingOf(instruments)
  expect(account).toEqual({ 'http.route': 'r', upstream: 'u', phase: 'parse', charged: 'direct' })
  expect(forMs).toBeGreaterThanOrEqual(burnt)
  // What runs is named, though it is not charged yet.
  rest.look(instruments, 1_000)
  expect(charged()['unattributed']).toBeLessThanOrEqual(1_000 - burnt)
  ledger.switch(0, null)
  const before = charged()['unattributed'] as number
  rest.look(instruments, 2_000)
  expect(charged()['unattributed']).toBeGreaterThan(before + 900)
  // A loop that has taken the place of another begins with nothing.
  rest.look(instruments, 500)
  const all = Object.values(charged()).reduce((sum, ms) => sum + ms, 0)
  expect(all).toBeCloseTo(2_500, 6)
})

test('what is named in series that are given up is not taken for what cannot be named', () => {
  const { instruments, ledger, accounts } = setting()
  const rest = new Rest()
  ledger.switch(accounts.parse, null)
  burn(5)
  ledger.switch(0, null)
  rest.look(instruments, 100)
  const fewer = instruments.changed(seriesOf([], []))
  const kept = (): number => fewer.values[fewer.place('oneloop.loop.time', { phase: 'unattributed' })] as number
  const before = kept()
  rest.change(namedIn(instruments), namedIn(fewer))
  rest.look(fewer, 100)
  expect(kept()).toBeCloseTo(before, 9)
  expect(before).toBeLessThanOrEqual(0.095)
})

test('the accounts of a config that comes later are charged like those of the first, which go on', () => {
  const { instruments, ledger, accounts } = setting()
  const more = instruments.changed([
    ...instruments.series,
    ...accountSeries('later', ['u']),
    ...Array.from({ length: 50 }, (_, i) => accountSeries(`more-${i}`, ['u'])).flat(),
  ])
  const later = callAccounts(more, 'more-49', 'u')
  ledger.extend(more)
  const job = new Job(ledger, true)
  for (const account of [later.parse, accounts.parse]) {
    const owned = job.busyMs
    job.on(account)
    const burnt = burn(3)
    job.off()
    expect(more.values[account]).toBeGreaterThanOrEqual(burnt / 1_000)
    expect(job.busyMs - owned).toBeGreaterThanOrEqual(burnt)
  }
})

test('what arrives after the loop has slept was not there before it slept', async () => {
  const { ledger, accounts, job } = setting()
  job.on(accounts.bind)
  burn(300)
  job.off()
  await new Promise((resolve) => setTimeout(resolve, 5))
  // In a turn of its own.
  await new Promise((resolve) => setImmediate(resolve))
  job.on(accounts.receive)
  const unseen = ledger.unseenMs()
  expect(unseen).toBeGreaterThanOrEqual(0)
  expect(unseen).toBeLessThan(300)
})

test('what arrives after the loop was busy may have been there all the while', async () => {
  const { ledger, accounts, job } = setting()
  await new Promise((resolve) => setImmediate(resolve))
  job.on(accounts.bind)
  ledger.unseenMs()
  burn(30)
  job.off()
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  job.on(accounts.receive)
  expect(ledger.unseenMs()).toBeGreaterThanOrEqual(30)
})
