import type { Attributes, Instruments } from '../telemetry/instruments.ts'
import { current } from '../telemetry/instruments.ts'
import type { Slice, Slices } from '../telemetry/slices.ts'
import type { Recorded } from './profile.ts'

// Often enough that nothing is overwritten before it was read.
const readMs = 20

/**
 * Takes down whose work a data loop does from now on; what is given ends that and tells it. Works also while the loop
 * is stuck: the account that is on stands in shared memory.
 */
export function record(slices: Slices, instruments: Instruments): () => Recorded {
  const { values } = instruments
  const all: Slice[] = [{ atMs: values[current.since] as number, account: values[current.account] as number }]
  let from = slices.count
  const read = (): void => {
    const more = slices.since(from)
    from = slices.count
    // One by one: as arguments of one call they would be too many.
    for (const slice of more) all.push(slice)
  }
  slices.wanted = true
  const timer = setInterval(read, readMs).unref()
  return () => {
    clearInterval(timer)
    read()
    slices.wanted = false
    return recordedOf(all, instruments)
  }
}

function recordedOf(slices: readonly Slice[], instruments: Instruments): Recorded {
  const places = new Map<number, number>()
  const accounts: string[][] = []
  const placeOf = (account: number): number => {
    const known = places.get(account)
    if (known !== undefined) return known
    places.set(account, accounts.length)
    return accounts.push(account === 0 ? ['unattributed'] : wordsOf(instruments.attributesAt(account))) - 1
  }
  const toMicros = clockOf(instruments)
  return {
    micros: slices.map(({ atMs }) => toMicros(atMs)),
    places: slices.map(({ account }) => placeOf(account)),
    accounts,
  }
}

/** Turns the clock of a data loop's thread into the one that profiles have: hrtime's, in µs. */
function clockOf({ values }: Instruments): (ms: number) => number {
  const hrMs = Number(process.hrtime.bigint()) / 1e6
  const epochMs = performance.timeOrigin + performance.now()
  const offsetMs = (values[current.origin] as number) - epochMs + hrMs
  return (ms) => (ms + offsetMs) * 1_000
}

function wordsOf(attributes: Attributes | null): string[] {
  const { 'http.route': route = 'no route', upstream, phase = '' } = attributes ?? {}
  return upstream === undefined ? [route, phase] : [route, `${phase} of ${upstream}`]
}
