const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const month = `(?<month>${months.join('|')})`
const clock = String.raw`(?<hour>[01]\d|2[0-3]):(?<minute>[0-5]\d):(?<second>[0-5]\d|60)`

// The three forms of RFC 9110 §5.6.7: today's, and two that a recipient must still understand.
const forms = [
  new RegExp(String.raw`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\d\d) ${month} (?<year>\d{4}) ${clock} GMT$`),
  new RegExp(
    String.raw`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\d\d)-${month}-(?<year>\d\d) ${clock} GMT$`,
  ),
  new RegExp(String.raw`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${month} (?<day>\d\d| \d) ${clock} (?<year>\d{4})$`),
]

type Parts = Readonly<Record<'day' | 'month' | 'year' | 'hour' | 'minute' | 'second', string>>

/**
 * Reads an HTTP-date to ms since 1970, or null. The name of its weekday is not held against it; `epochMs`, the time it
 * is read at, tells which century two digits mean.
 */
export function dateOf(text: string | undefined, epochMs: number): number | null {
  if (text === undefined) return null
  for (const form of forms) {
    const parts = form.exec(text)?.groups as Parts | undefined
    if (parts !== undefined) return momentOf(parts, epochMs)
  }
  return null
}

const dayMs = 86_400_000
const yearMs = 365.2425 * dayMs

function momentOf(parts: Parts, epochMs: number): number | null {
  const monthAt = months.indexOf(parts.month)
  const day = Number(parts.day)
  let year = Number(parts.year)
  if (parts.year.length === 2) {
    // RFC 9110 §5.6.7: the last year with these digits that is not more than 50 years ahead.
    const latestMs = epochMs + 50 * yearMs
    year += 100 * Math.floor((latestMs - dayNumber(year, monthAt, day) * dayMs) / (100 * yearMs))
  }
  const firstOfNext = dayNumber(year, monthAt + 1, 1)
  const days = dayNumber(year, monthAt, day)
  if (day === 0 || days >= firstOfNext) return null
  const minutes = days * 1_440 + Number(parts.hour) * 60 + Number(parts.minute)
  return minutes * 60_000 + Number(parts.second) * 1_000
}

/** Counts the days from 1970-01-01, months from 0. A year is taken to begin in March, so that its leap day is its last. */
function dayNumber(year: number, monthAt: number, day: number): number {
  const y = year + Math.floor((monthAt - 2) / 12)
  const m = (monthAt + 10) % 12
  // Months from March on have 31, 30, 31, 30, 31 days, and so again: 153 in five of them.
  const inYear = Math.floor((153 * m + 2) / 5) + day - 1
  return 365 * y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + inYear - 719_468
}
