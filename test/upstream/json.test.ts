import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JsonCheck, isJson } from '../../src/upstream/json.ts'

/** What JSON.parse says of bytes that must be UTF-8. */
function parses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
    return true
  } catch {
    return false
  }
}

/** Whether a value that JSON.parse takes has a key that we refuse all the same. */
function hasProto(text: string): boolean {
  let found = false
  JSON.parse(text, (key, value: unknown) => {
    if (key === '__proto__') found = true
    return value
  })
  return found
}

/** What the check says of bytes that come in pieces, cut at the given places. */
function checks(bytes: Uint8Array, cuts: readonly number[] = []): boolean {
  const check = new JsonCheck()
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  for (let i = 1; i < places.length; i++) if (!check.push(bytes.subarray(places[i - 1], places[i]))) return false
  return check.end()
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const cuts = fc.array(fc.nat(10_000), { maxLength: 8 })

// Keys that look like the one that is refused, and text of all kinds with the escapes that JSON has.
const key = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '__proto__',
    '__proto_',
    '_',
    '__proto__x',
    'proto',
    'a"b',
    'a\\b',
    '\u0000',
    '\n',
    'é',
    '😀',
    '\ud800',
  ),
)
const value = fc.letrec((again) => ({
  any: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.constantFrom(null, true, false, '', 0, -0, {}, []),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.string({ unit: 'binary' }),
    fc.array(again('any'), { maxLength: 5 }),
    fc.array(fc.tuple(key, again('any')), { maxLength: 5 }).map((entries) => new Map(entries as [string, unknown][])),
  ),
})).any

/** Writes JSON in one of the many ways in which it can be written: space, escapes, the forms of a number. */
function written(one: unknown, style: () => number): string {
  const space = (): string => ['', '', '', ' ', '\n', '\t\r\n '][style() % 6] as string
  const around = (text: string): string => space() + text + space()
  if (one instanceof Map) {
    const entries = [...(one as Map<string, unknown>)].map(
      ([name, of]) => `${around(quoted(name, style))}:${written(of, style)}`,
    )
    return around(`{${entries.length === 0 ? space() : entries.join(',')}}`)
  }
  if (Array.isArray(one))
    return around(`[${one.length === 0 ? space() : one.map((of) => written(of, style)).join(',')}]`)
  if (typeof one === 'string') return around(quoted(one, style))
  if (typeof one === 'number') return around(numbered(one, style))
  return around(JSON.stringify(one))
}

function quoted(text: string, style: () => number): string {
  const units = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i))
  const hex = (unit: number): string => {
    const digits = unit.toString(16).padStart(4, '0')
    return `\\u${style() % 2 === 0 ? digits : digits.toUpperCase()}`
  }
  // Escapes any character now and then, and one half of a pair always: alone it cannot stand in UTF-8.
  const shown = units.map((unit) => {
    if ((unit >= 0xd800 && unit <= 0xdfff) || style() % 5 === 0) return hex(unit)
    return JSON.stringify(String.fromCharCode(unit)).slice(1, -1)
  })
  return `"${shown.join('')}"`
}

function numbered(one: number, style: () => number): string {
  const plain = JSON.stringify(one)
  return [plain, one.toExponential(), one.toExponential().toUpperCase(), `${plain}${plain.includes('e') ? '' : 'E-0'}`][
    style() % 4
  ] as string
}

const json = fc.tuple(value, fc.infiniteStream(fc.nat(1000))).map(([one, styles]) => {
  return written(one, () => styles.next().value)
})

test('U19: any JSON is accepted, however it is written and wherever it is cut, but for a key "__proto__"', async () => {
  await fc.assert(
    fc.asyncProperty(json, cuts, async (text, places) => {
      const bytes = bytesOf(text)
      const expected = !hasProto(text)
      expect(checks(bytes, places)).toBe(expected)
      expect(await isJson(bytes)).toBe(expected)
    }),
    { numRuns: 2_000 },
  )
})

test('U19: what has been changed in a few bytes is accepted if and only if JSON.parse accepts it', async () => {
  const change = fc.record({
    at: fc.nat(10_000),
    remove: fc.nat(2),
    add: fc.oneof(
      fc.uint8Array({ maxLength: 3 }),
      fc
        .constantFrom(
          '"',
          '\\',
          '{',
          '}',
          '[',
          ']',
          ',',
          ':',
          '0',
          '-',
          '.',
          'e',
          'E',
          '+',
          'u',
          'true',
          'null',
          ' ',
          '\\u00',
          '\u000b',
        )
        .map(bytesOf),
    ),
  })
  let accepted = 0
  let refused = 0
  await fc.assert(
    fc.asyncProperty(json, fc.array(change, { minLength: 1, maxLength: 3 }), cuts, async (text, changes, places) => {
      const bytes = [...bytesOf(text)]
      for (const { at, remove, add } of changes) bytes.splice(at % (bytes.length + 1), remove, ...add)
      const changed = Uint8Array.from(bytes)
      const expected = parses(changed) && !hasProto(new TextDecoder().decode(changed))
      expect(await isJson(changed)).toBe(expected)
      // What comes in pieces is asked as a whole whether it is UTF-8.
      expect(checks(changed, places) && isUtf8(changed)).toBe(expected)
      if (expected) accepted++
      else refused++
    }),
    { numRuns: 4_000 },
  )
  // Neither side of the oracle may be a rare one, or the property says little.
  expect(Math.min(accepted, refused)).toBeGreaterThan(200)
})

test('U19: any few characters of those that JSON is made of are accepted if and only if JSON.parse accepts them', async () => {
  const characters = '{}[],:"\\-+.0159eEtruefalsn \t\n\u0000u_'.split('')
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: fc.constantFrom(...characters), maxLength: 8 }), cuts, async (text, places) => {
      const bytes = bytesOf(text)
      expect(checks(bytes, places)).toBe(parses(bytes))
      expect(await isJson(bytes)).toBe(parses(bytes))
    }),
    { numRuns: 20_000 },
  )
})

test('U19: a value that is cut off is accepted if and only if JSON.parse accepts what is left', async () => {
  await fc.assert(
    fc.asyncProperty(json, fc.nat(10_000), async (text, at) => {
      const bytes = bytesOf(text)
      const cut = bytes.subarray(0, at % bytes.length)
      expect(await isJson(cut)).toBe(parses(cut) && !hasProto(new TextDecoder().decode(cut)))
    }),
    { numRuns: 1_000 },
  )
})

const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
const deepObject = (depth: number): string => '{"a":'.repeat(depth) + '0' + '}'.repeat(depth)

test.each([
  ['arrays 1 000 deep', deep(1_000), true],
  ['arrays 1 001 deep', deep(1_001), false],
  ['objects 1 000 deep', deepObject(1_000), true],
  ['objects 1 001 deep', deepObject(1_001), false],
  ['arrays 10⁵ deep', deep(100_000), false],
  ['10⁵ brackets that are never closed', '['.repeat(100_000), false],
  ['10⁵ arrays beside each other', `[${'[],'.repeat(100_000)}0]`, true],
  ['a number of 1 000 digits', '1'.repeat(1_000), true],
  ['a number of 1 000 digits behind a point', `0.${'1'.repeat(999)}`, true],
  ['a number of 2 000 digits', '1'.repeat(2_000), false],
  ['a number of 2 000 digits in an array', `[${'1'.repeat(2_000)}]`, false],
  ['a number of 2 000 digits behind a point', `0.${'1'.repeat(2_000)}`, false],
  ['an exponent of 2 000 digits', `1e${'1'.repeat(2_000)}`, false],
  [
    '2 000 digits shared by integer, fraction and exponent',
    `${'1'.repeat(700)}.${'1'.repeat(700)}e${'1'.repeat(600)}`,
    false,
  ],
  ['10⁴ numbers of 900 digits', `[${`${'1'.repeat(900)},`.repeat(10_000)}0]`, true],
  ['2 000 digits in a string', `"${'1'.repeat(2_000)}"`, true],
  ['2 000 digits in a key', `{"${'1'.repeat(2_000)}":1}`, true],
  ['a key __proto__', '{"__proto__":1}', false],
  ['a key __proto__ deep within', '{"a":[{"b":{"__proto__":{}}}]}', false],
  ['a key __proto__ behind another', '{"a":1,"__proto__":1}', false],
  ['a key __proto__ spelled with escapes', '{"\\u005f\\u005Fpr\\u006Fto__":1}', false],
  ['a key __proto__ whose last character is escaped', '{"__proto_\\u005f":1}', false],
  ['a key __proto__ all in escapes', '{"\\u005f\\u005f\\u0070\\u0072\\u006f\\u0074\\u006f\\u005f\\u005f":1}', false],
  ['a key that begins as __proto__', '{"__proto__x":1}', true],
  ['a key that ends as __proto__', '{"x__proto__":1}', true],
  ['a key __proto__ with an escape in it', '{"__proto\\n__":1}', true],
  ['a key __proto__ before an escape', '{"__proto__\\n":1}', true],
  ['a key __proto__ behind an escape', '{"\\n__proto__":1}', true],
  ['a key of one underscore', '{"_":1}', true],
  ['an empty key', '{"":1}', true],
  ['__proto__ as a value', '{"a":"__proto__"}', true],
  ['__proto__ in an array', '["__proto__"]', true],
  ['constructor and prototype as keys', '{"constructor":{"prototype":1}}', true],
  ['one half of a surrogate pair, escaped', '"\\ud800"', true],
  ['nothing', '', false],
  ['nothing but space', ' \n', false],
  ['two values', '1 2', false],
  ['a value and a comma', '1,', false],
  ['a vertical tab as space', '\u000b1', false],
  ['a no-break space as space', '\u00a01', false],
  ['a byte order mark before a value', '\ufeff{}', false],
  ['NaN', 'NaN', false],
  ['a comment', '{}//', false],
  ['single quotes', "{'a':1}", false],
])('U19: of %s the check says so, in one piece and byte by byte', async (_, text, expected) => {
  const bytes = bytesOf(text)
  expect(await isJson(bytes)).toBe(expected)
  expect(checks(bytes, bytes.length < 100_000 ? Array.from(bytes, (_byte, i) => i) : [1, 70_000])).toBe(expected)
})

test.each([
  ['a byte that UTF-8 does not have', [0xff]],
  ['a character that breaks off', [0xe2, 0x82]],
  ['a character longer than it need be', [0xc0, 0xaf]],
  ['one half of a surrogate pair', [0xed, 0xa0, 0x80]],
  ['a character past the last', [0xf4, 0x90, 0x80, 0x80]],
  ['a byte in Latin-1', [0xe9]],
])('U19: %s makes a string, or a key, no JSON', async (_, bad) => {
  expect(await isJson(Uint8Array.of(0x22, ...bad, 0x22))).toBe(false)
  expect(await isJson(Uint8Array.of(0x7b, 0x22, ...bad, 0x22, 0x3a, 0x31, 0x7d))).toBe(false)
})

test('U19: 10 MB of what takes longest to check holds the loop for no longer than a piece of it', () => {
  const piece = bytesOf('{"__a":-1.5e1,"\\u005f":[true]},'.repeat(2_000))
  const check = new JsonCheck()
  check.push(bytesOf('['))
  let longestMs = 0
  for (let size = 0; size < 10 * 1024 ** 2; size += piece.length) {
    const before = process.threadCpuUsage()
    expect(check.push(piece)).toBe(true)
    const { user, system } = process.threadCpuUsage(before)
    longestMs = Math.max(longestMs, (user + system) / 1_000)
  }
  expect(check.push(bytesOf('0]')) && check.end()).toBe(true)
  // Of this thread's own time, whatever else the machine does: 64 KiB take about a millisecond.
  expect(longestMs).toBeLessThan(50)
})

test('U19: a whole of 10 MB is checked in many turns of the loop', async () => {
  const whole = bytesOf(`[${'[],'.repeat(3_490_000)}0]`)
  let turns = 0
  const turn = (): unknown => (turns++, (next = setImmediate(turn)))
  let next = setImmediate(turn)
  expect(await isJson(whole)).toBe(true)
  clearImmediate(next)
  expect(turns).toBeGreaterThan(100)
})
