import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { observer } from '../../src/ops/observe.ts'
import { type Probe, workerProbe } from '../../src/ops/probe.ts'
import { vitalNumbers } from '../../src/ops/vitals.ts'
import { loopWatch } from '../../src/ops/watch.ts'
import type { Delays } from '../../src/telemetry/delays.ts'
import type { Instruments, Reading } from '../../src/telemetry/instruments.ts'

/** A thread with a loop that is blocked on demand. */
interface Loop extends AsyncDisposable {
  readonly probe: Probe
  /** Lets the loop make a turn, and waits for it. */
  turn(): Promise<void>
  /** Blocks it; it is blocked when this settles. */
  block(): Promise<void>
  free(): Promise<void>
  end(): Promise<void>
}

async function startLoop(): Promise<Loop> {
  const stop = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(new URL('./spinner.ts', import.meta.url), { workerData: stop.buffer })
  const [delays] = (await once(worker, 'message')) as [Delays]
  const ask = async (what: string): Promise<void> => {
    worker.postMessage(what)
    await once(worker, 'message')
  }
  const end = async (): Promise<void> => void (await worker.terminate())
  return {
    probe: workerProbe(worker, delays),
    turn: () => ask('turn'),
    block: () => ask('spin'),
    async free() {
      Atomics.store(stop, 0, 1)
      await ask('turn')
    },
    end,
    [Symbol.asyncDispose]: end,
  }
}

const tells = { cgroup: false, descriptors: true }

function find(numbers: Instruments, name: string, attributes: Record<string, string>): Reading | undefined {
  const fits = (one: Reading) => Object.entries(attributes).every(([key, value]) => one.attributes[key] === value)
  return numbers.read().find((one) => one.name === name && fits(one))
}

/** Burns so much time on this thread; on one that is shared, another loop meanwhile gets at least that much, too. */
function pass(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until) continue
}

test('a loop is seen to be blocked while it is, from outside, and its turn is counted when it is over', async () => {
  await using loop = await startLoop()
  const numbers = vitalNumbers(['data'], tells)
  const look = loopWatch(numbers, 'data')
  await loop.turn()
  look(loop.probe)
  const turnsOver100Ms = (): number => {
    const { buckets = [], bounds = [] } = find(numbers, 'oneloop.loop.delay', { loop: 'data' }) ?? {}
    return buckets.slice(bounds.indexOf(0.1) + 1).reduce((sum, count) => sum + count, 0)
  }
  const before = turnsOver100Ms()

  await loop.block()
  // What lay before is told, and the loop has been in this one turn since.
  look(loop.probe)
  pass(60)
  const blocked = look(loop.probe)
  expect(blocked.utilization).toBe(1)
  expect(blocked.delayMaxMs).toBeGreaterThanOrEqual(59)
  pass(60)
  const still = look(loop.probe)
  expect(still.delayP50Ms).toBeGreaterThanOrEqual(blocked.delayP50Ms + 59)
  expect(still.delayP99Ms).toBe(still.delayMaxMs)

  await loop.free()
  // It is over when the loop has come to wait again.
  while (turnsOver100Ms() === before) {
    await loop.turn()
    look(loop.probe)
  }
  expect(turnsOver100Ms()).toBe(before + 1)
  expect(find(numbers, 'oneloop.loop.delay', { loop: 'data' })?.value).toBeGreaterThanOrEqual(0.1)
})

test('what is counted of a loop goes on where it stood when the loop is replaced', async () => {
  const numbers = vitalNumbers(['data'], tells)
  const look = loopWatch(numbers, 'data')
  const active = () =>
    find(numbers, 'nodejs.eventloop.time', { loop: 'data', 'nodejs.eventloop.state': 'active' })?.value ?? 0
  const first = await startLoop()
  await first.block()
  pass(30)
  look(first.probe)
  const before = active()
  expect(before).toBeGreaterThanOrEqual(0.029)
  await first.end()
  expect(look(null)).toEqual({
    loop: 'data',
    utilization: 0,
    delayP50Ms: 0,
    delayP99Ms: 0,
    delayMaxMs: 0,
    heapBytes: 0,
    heapLimitBytes: 0,
  })
  expect(active()).toBe(before)

  await using second = await startLoop()
  await second.turn()
  look(second.probe)
  const after = active()
  expect(after).toBeGreaterThan(before)
  await second.block()
  pass(30)
  look(second.probe)
  expect(active()).toBeGreaterThanOrEqual(after + 0.029)
})

test('heap and CPU time of a loop are asked for without waiting for the answer', async () => {
  await using loop = await startLoop()
  expect([loop.probe.heap(), loop.probe.cpu()]).toEqual([
    { used: 0, limit: 0 },
    { user: 0, system: 0 },
  ])
  while (loop.probe.heap().used === 0 || loop.probe.cpu().user === 0) await loop.turn()
  expect(loop.probe.heap().limit).toBeGreaterThan(loop.probe.heap().used)
})

test('each look counts a second of the loops and the process', async () => {
  await using loop = await startLoop()
  const numbers = vitalNumbers(['data'], tells)
  const watched = { name: 'data', probe: loop.probe, listening: true, deaths: 2 }
  const look = observer(numbers, tells, () => [watched])
  while (loop.probe.heap().used === 0) await loop.turn()
  const seconds = [look(), look(), look()]
  for (const { control, loops, rssBytes } of seconds) {
    expect(rssBytes).toBeGreaterThan(control.heapBytes)
    expect(loops.map((one) => one.loop)).toEqual(['data'])
  }
  const utilizations = find(numbers, 'oneloop.loop.utilization', { loop: 'data' })
  expect(utilizations?.buckets?.reduce((sum, count) => sum + count, 0)).toBe(3)
  expect(find(numbers, 'oneloop.loop.listening', { loop: 'data' })?.value).toBe(1)
  expect(find(numbers, 'oneloop.loop.deaths', { loop: 'data' })?.value).toBe(2)
  expect(find(numbers, 'v8js.memory.heap.used', { loop: 'data' })?.value).toBe(seconds[2]?.loops[0]?.heapBytes)
  expect(find(numbers, 'process.open_fds', {})?.value).toBeGreaterThan(3)
  expect(find(numbers, 'process.max_fds', {})?.value).toBeGreaterThan(3)
  expect(find(numbers, 'process.memory.usage', {})?.value).toBe(seconds[2]?.rssBytes)
})
