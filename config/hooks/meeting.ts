import type { Transform } from '../../src/plan/plan.ts'

/** What the clock service tells of a country. */
interface Now {
  readonly code: string
  readonly zones: readonly { readonly zone: string; readonly offsetMinutes: number }[]
}

const MINUTES_PER_DAY = 24 * 60
const OPENS = 9 * 60
const CLOSES = 17 * 60

/** Finds the hours of the day, in UTC, at which both countries are at work in at least one of their time zones. */
export const meeting: Transform = (_input, replies) => {
  const from = replies['from'] as Now
  const to = replies['to'] as Now
  const hours = Array.from({ length: 24 }, (_, hour) => hour)
  return {
    from: { code: from.code, offsets: offsets(from) },
    to: { code: to.code, offsets: offsets(to) },
    hoursUtc: hours.filter((hour) => atWork(from, hour) && atWork(to, hour)).map((hour) => `${hour}:00`),
  }
}

/** How far the country's zones are ahead of UTC, in minutes, each once. */
function offsets({ zones }: Now): number[] {
  return [...new Set(zones.map((zone) => zone.offsetMinutes))].toSorted((a, b) => a - b)
}

function atWork(now: Now, hourUtc: number): boolean {
  return offsets(now).some((offset) => {
    const local = (hourUtc * 60 + offset + MINUTES_PER_DAY) % MINUTES_PER_DAY
    return local >= OPENS && local < CLOSES
  })
}
