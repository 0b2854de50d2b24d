import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffMs, retryAfterMs } from '../../src/policy/backoff.ts'

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

test('a wait is anything from nothing up to a bound that doubles from 25 ms to 250', () => {
  fc.assert(
    fc.property(fc.nat(2_000), random, (again, drawn) => {
      const boundMs = [25, 50, 100, 200][again] ?? 250
      expect(backoffMs(again, () => drawn)).toBe(drawn * boundMs)
    }),
  )
  expect(backoffMs(0, () => 0)).toBe(0)
})

const now = Date.UTC(2026, 6, 1, 12, 0, 0)

test('a number is read as seconds', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), fc.nat(3), fc.constantFrom('', ' ', '\t'), (seconds, zeros, space) => {
      expect(retryAfterMs(`${space}${'0'.repeat(zeros)}${seconds}${space}`, now)).toBe(seconds * 1_000)
    }),
  )
})

test.each(['2147483648', '2147483649', '9'.repeat(400)])('%s s is as long as can be said', (value) => {
  expect(retryAfterMs(value, now)).toBe(2 ** 31 * 1_000)
})

const shortDays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (part: number, fill = '0'): string => String(part).padStart(2, fill)

/** The three ways to write a moment, by the words of RFC 9110 §5.6.7. */
const written: Record<string, (moment: Date) => string> = {
  'IMF-fixdate': (moment) =>
    `${shortDays[moment.getUTCDay()]}, ${two(moment.getUTCDate())} ${months[moment.getUTCMonth()]} ` +
    `${String(moment.getUTCFullYear()).padStart(4, '0')} ${clockOf(moment)} GMT`,
  'rfc850-date': (moment) =>
    `${days[moment.getUTCDay()]}, ${two(moment.getUTCDate())}-${months[moment.getUTCMonth()]}-` +
    `${two(moment.getUTCFullYear() % 100)} ${clockOf(moment)} GMT`,
  'asctime-date': (moment) =>
    `${shortDays[moment.getUTCDay()]} ${months[moment.getUTCMonth()]} ${two(moment.getUTCDate(), ' ')} ` +
    `${clockOf(moment)} ${String(moment.getUTCFullYear()).padStart(4, '0')}`,
}

function clockOf(moment: Date): string {
  return `${two(moment.getUTCHours())}:${two(moment.getUTCMinutes())}:${two(moment.getUTCSeconds())}`
}

const dayMs = 86_400_000
const yearMs = 365.2425 * dayMs
// A year of two digits is read by what year it is: from 50 years ago up to 50 ahead, a day or so at either end aside.
const reach: Record<string, readonly [number, number]> = {
  'IMF-fixdate': [Date.parse('0000-01-01'), Date.parse('9999-12-31T23:59:59Z')],
  'rfc850-date': [-50 * yearMs + 2 * dayMs, 50 * yearMs - 2 * dayMs],
  'asctime-date': [Date.parse('0000-01-01'), Date.parse('9999-12-31T23:59:59Z')],
}

test.each(Object.keys(written))('a date is read as the time that is left until then: %s', (form) => {
  const [first, last] = reach[form] as readonly [number, number]
  const seconds = fc.oneof(
    fc.integer({ min: Math.ceil(first / 1_000), max: Math.floor(last / 1_000) }),
    fc.nat(100 * 86_400),
  )
  // Around the turn of a century as well as today.
  const at = fc.oneof(fc.constant(now), fc.integer({ min: 0, max: Date.UTC(2199, 11, 31) }))
  fc.assert(
    fc.property(at, seconds, (epochMs, second) => {
      const sinceMs = form === 'rfc850-date' ? Math.floor(epochMs / 1_000) * 1_000 : 0
      const momentMs = sinceMs + second * 1_000
      const text = (written[form] as (moment: Date) => string)(new Date(momentMs))
      expect(retryAfterMs(text, epochMs)).toBe(Math.max(0, momentMs - epochMs))
    }),
    { numRuns: 2_000 },
  )
})

test('a year of two digits is the last one that is not more than 50 years ahead', () => {
  expect(retryAfterMs('Tuesday, 30-Jun-76 12:00:00 GMT', now)).toBe(Date.UTC(2076, 5, 30, 12) - now)
  expect(retryAfterMs('Saturday, 03-Jul-76 12:00:00 GMT', now)).toBe(0)
  expect(retryAfterMs('Monday, 29-Feb-00 00:00:00 GMT', Date.UTC(1999, 11, 31))).toBe(60 * dayMs)
  expect(retryAfterMs('Friday, 01-Jan-00 00:00:00 GMT', Date.UTC(2099, 11, 31))).toBe(dayMs)
})

test('a leap second is the one after the last', () => {
  const epochMs = Date.UTC(2016, 11, 31, 23, 59, 0)
  expect(retryAfterMs('Sat, 31 Dec 2016 23:59:60 GMT', epochMs)).toBe(60_000)
})

test('each day that there is, and no other, is a date', () => {
  for (const year of [1900, 2000, 2023, 2024, 2100]) {
    for (const [place, month] of months.entries()) {
      const last = new Date(Date.UTC(year, place + 1, 0)).getUTCDate()
      for (let day = 0; day <= 32; day++) {
        const asked = retryAfterMs(`Mon, ${two(day)} ${month} ${year} 00:00:00 GMT`, 0)
        const expected = day >= 1 && day <= last ? Math.max(0, Date.UTC(year, place, day)) : null
        expect(asked, `${day} ${month} ${year}`).toBe(expected)
      }
    }
  }
})

test.each([
  undefined,
  '',
  ' ',
  '-1',
  '+1',
  '1.5',
  '1e3',
  '0x10',
  '7, 8',
  '7 s',
  'soon',
  'Infinity',
  '2027-01-01',
  '2027-01-01T00:00:00Z',
  'Fri, 1 Jan 2027 00:00:00 GMT',
  'Fri, 01 Jan 2027 00:00:00',
  'Fri, 01 Jan 2027 00:00:00 UTC',
  'Fri, 01 Jan 2027 00:00:00 +0000',
  'fri, 01 jan 2027 00:00:00 gmt',
  'Fro, 01 Jan 2027 00:00:00 GMT',
  'Fri, 01 Jam 2027 00:00:00 GMT',
  'Fri, 01 Jan 27 00:00:00 GMT',
  'Fri, 01 Jan 2027 24:00:00 GMT',
  'Fri, 01 Jan 2027 00:60:00 GMT',
  'Fri, 01 Jan 2027 00:00:61 GMT',
  'Fri, 01 Jan 2027 00:00 GMT',
  'x Fri, 01 Jan 2027 00:00:00 GMT',
  'Fri, 01 Jan 2027 00:00:00 GMT x',
  'Friday, 01-Jan-2027 00:00:00 GMT',
  'Fri, 01-Jan-27 00:00:00 GMT',
  'Friday, 1-Jan-27 00:00:00 GMT',
  'x Friday, 01-Jan-27 00:00:00 GMT',
  'Friday, 01-Jan-27 00:00:00 GMT x',
  'Fri Jan 1 00:00:00 2027',
  'Fri Jan  1 00:00:00 2027 GMT',
  'x Fri Jan  1 00:00:00 2027',
  'Fri Jan  0 00:00:00 2027',
])('%j asks for nothing', (value) => {
  expect(retryAfterMs(value, now)).toBeNull()
})

test('whatever is written, the answer is null or a time that is not negative', () => {
  const alike = fc.stringMatching(/^[A-Z][a-z]{2},? [ 0-3]\d[ -][A-Z][a-z]{2}[ -]\d{2,4} \d\d:\d\d:\d\d( GMT)?$/)
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), alike), fc.nat(2 ** 41), (value, epochMs) => {
      const asked = retryAfterMs(value, epochMs)
      expect(asked === null || (Number.isFinite(asked) && asked >= 0)).toBe(true)
    }),
  )
})
