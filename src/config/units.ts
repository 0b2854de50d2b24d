import { z } from 'zod'

const milliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const bytes = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

/** The longest time a timer of Node can wait: a longer one fires at once. */
const LONGEST_MS = 2 ** 31 - 1

/** A duration such as `250ms`, read to milliseconds. */
export const duration = measured('duration', milliseconds, ['250ms', '2s', '5m']).refine((ms) => ms <= LONGEST_MS, {
  error: 'expected a duration of at most 596h',
})

/** A duration that is not zero. */
export const positive = duration.refine((ms) => ms > 0, { error: 'expected a duration longer than 0' })

/** A size such as `64KiB`, read to bytes. */
export const size = measured('size', bytes, ['64KiB', '1MiB']).refine(Number.isSafeInteger, {
  error: 'expected a smaller size',
})

/** A share such as `20%`, read to a fraction from 0 to 1. */
export const share = measured('share', { '%': 1 }, ['20%'], (amount) => amount / 100).refine(
  (fraction) => fraction <= 1,
  { error: 'expected at most 100%' },
)

/** A yes or no. */
export const flag = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean({ error: 'expected true or false' }),
)

/** A whole number within bounds. A string of digits is one as well: that is what a variable leaves. */
export function whole(min: number, max: number = Number.MAX_SAFE_INTEGER) {
  const bounds = max === Number.MAX_SAFE_INTEGER ? `, at least ${min}` : ` from ${min} to ${max}`
  const error = `expected a whole number${bounds}`
  return z.preprocess(
    (value) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value),
    z.int({ error }).min(min, { error }).max(max, { error }),
  )
}

/** Text, also written as a whole number or a yes or no: what a query field or a header holds. */
export const text = z
  .union([z.string(), z.int(), z.boolean()], { error: 'expected text (a number with a point needs quotes)' })
  .transform(String)

/** A short form: the named groups of `pattern` are the keys of the long form, which judges them. */
export function short<T>(pattern: RegExp, form: string, example: string, long: z.ZodType<T>) {
  const error = `expected ${form} such as ${example}`
  return z
    .string({ error })
    .regex(pattern, { error })
    .meta({ title: form, examples: [example] })
    .transform((written): unknown => {
      const groups = Object.entries(pattern.exec(written)?.groups ?? {})
      return Object.fromEntries(groups.filter(([, part]) => part !== undefined))
    })
    .pipe(long)
}

function measured(
  title: string,
  units: Readonly<Record<string, number>>,
  examples: string[],
  read: (amount: number, unit: number) => number = (amount, unit) => Math.round(amount * unit),
) {
  const pattern = new RegExp(`^(\\d{1,12}(?:\\.\\d{1,6})?)(${Object.keys(units).join('|')})$`)
  const error = `expected a ${title} such as ${examples.join(', ')}`
  return z
    .string({ error })
    .regex(pattern, { error })
    .meta({ title, examples })
    .transform((written) => {
      const [, amount, unit] = pattern.exec(written) as unknown as [string, string, string]
      return read(Number(amount), units[unit] as number)
    })
}
