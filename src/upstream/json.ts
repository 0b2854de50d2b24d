import { isUtf8 } from 'node:buffer'
import { setImmediate as nextTurn } from 'node:timers/promises'

// Deeper values than this exist only to break parsers: JSON.stringify runs out of stack at some thousands.
const maxDepth = 1000
// No number needs more characters; a number of megabytes is an attack on whoever parses it next.
const maxDigits = 1000

// prettier-ignore
const S = {
  bad: 0, value: 1, first: 2, key: 3, firstKey: 4, colon: 5, after: 6,
  string: 7, escape: 8, hex1: 9, hex2: 10, hex3: 11, hex4: 12,
  keyStart: 27, keyPlain: 28, keyString: 13, keyEscape: 14, keyHex1: 15, keyHex2: 16, keyHex3: 17, keyHex4: 18,
  minus: 19, zero: 20, int: 21, point: 22, fraction: 23, exp: 24, expSign: 25, expDigits: 26, words: 29,
  // Not states but steps that take more than a change of state.
  openObject: 64, openArray: 65, close: 66, firstEscape: 67, closeKey: 70, keyEscaped: 71, keyHexDigit: 72, keyUnderscore: 73, otherKeyEscape: 74,
} as const

const proto = Buffer.from('__proto__')

// Which of them holds decides what a comma and a closing bracket mean.
const tables = { top: transitions(), array: transitions(false), object: transitions(true) }

/**
 * Checks that bytes which arrive in pieces are one JSON value (RFC 8259), without building it and without ever
 * holding the loop for longer than a piece takes: a pushdown automaton after json.org's JSON_checker. It refuses
 * what would harm a later reader: a byte order mark, depth over 1 000, numbers over 1 000 characters, `__proto__`
 * as a key. Whether the bytes are UTF-8 is `isJson`'s matter, since that is checked faster in one go.
 */
export class JsonCheck {
  #state: number = S.value
  /** The transitions where the value stands: in an object, in an array, or in neither. */
  #table = tables.top
  /** What is open: true for an object, false for an array. */
  readonly #open: boolean[] = []
  /** How much of `__proto__` the key has spelled so far; -1 once it is another key. */
  #spelled = 0
  /** The code unit of a \\u escape in a key, and how many of its digits are read. */
  #code = 0
  #codeDigits = 0
  #digits = 0

  /** Takes the next piece; false as soon as it can no longer become JSON. */
  push(bytes: Uint8Array): boolean {
    let state = this.#state
    let table = this.#table
    let digits = this.#digits
    for (let i = 0; i < bytes.length && state !== S.bad; i++) {
      let byte = bytes[i] as number
      // Runs are skipped in a loop of their own: most bytes stand in strings, and a change of state costs three times.
      if (state === S.string || state === S.keyPlain) {
        while (byte >= 0x20 && byte !== 0x22 && byte !== 0x5c) byte = bytes[++i] as number
        if (i >= bytes.length) break
      } else if (state >= S.int && state <= S.expDigits) {
        if (++digits > maxDigits) state = S.bad
      } else {
        digits = 0
        if (state === S.keyString) this.#spell(byte)
      }
      const next = table[(state << 8) | byte] as number
      if (next < 64) state = next
      else {
        state = this.#step(next, byte)
        table = this.#table
      }
    }
    this.#digits = digits
    this.#state = state
    return state !== S.bad
  }

  /** Whether what was taken is a whole JSON value. */
  end(): boolean {
    const s = this.#state
    const whole = s === S.after || s === S.zero || s === S.int || s === S.fraction || s === S.expDigits
    return whole && this.#open.length === 0
  }

  #spell(code: number): void {
    // The byte that ends the key belongs to it no longer.
    if (code !== 0x22 && code !== 0x5c) this.#spelled = code === proto[this.#spelled] ? this.#spelled + 1 : -1
  }

  #step(step: number, byte: number): number {
    switch (step) {
      case S.openObject:
        return this.#enter(true) ? S.firstKey : S.bad
      case S.openArray:
        return this.#enter(false) ? S.first : S.bad
      case S.close:
        this.#open.pop()
        this.#table = tableOf(this.#open.at(-1))
        return S.after
      case S.firstEscape:
        this.#spelled = 0
        return S.keyEscape
      case S.keyUnderscore:
        this.#spelled = 1
        return S.keyString
      case S.closeKey:
        return this.#spelled === proto.length ? S.bad : S.colon
      case S.otherKeyEscape:
        this.#spelled = -1
        return S.keyEscape
      case S.keyHexDigit:
        return this.#hexDigit(byte)
      default:
        // Any other escape stands for a character that `__proto__` has not.
        this.#spelled = -1
        return S.keyString
    }
  }

  #enter(object: boolean): boolean {
    this.#table = tableOf(object)
    return this.#open.push(object) <= maxDepth
  }

  #hexDigit(byte: number): number {
    this.#code = (this.#codeDigits === 0 ? 0 : this.#code << 4) | hexValue(byte)
    this.#codeDigits = (this.#codeDigits + 1) % 4
    if (this.#codeDigits !== 0) return S.keyHex1 + this.#codeDigits
    this.#spelled = this.#code === proto[this.#spelled] ? this.#spelled + 1 : -1
    return S.keyString
  }
}

// Is checked in a millisecond, whatever it is made of.
const pieceBytes = 64 * 1024

/** Whether the bytes are one JSON value in UTF-8, within the bounds that JsonCheck sets. Checks a piece each turn. */
export async function isJson(bytes: Uint8Array): Promise<boolean> {
  const check = new JsonCheck()
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    if (at > 0) await nextTurn()
    if (!check.push(bytes.subarray(at, at + pieceBytes))) return false
  }
  return check.end() && isUtf8(bytes)
}

function hexValue(byte: number): number {
  return byte <= 0x39 ? byte - 0x30 : (byte & 0x0f) + 9
}

function tableOf(object: boolean | undefined): Uint8Array {
  return object === undefined ? tables.top : object ? tables.object : tables.array
}

/** The transitions for values that stand in an object (true), in an array (false) or in neither. */
function transitions(object?: boolean): Uint8Array {
  const made = new Uint8Array(64 << 8)
  const on = (states: readonly number[], chars: string, next: number): void => {
    for (const state of states) for (const c of chars) made[(state << 8) | c.charCodeAt(0)] = next
  }
  const numberEnds = [S.zero, S.int, S.fraction, S.expDigits]
  const valueStarts = [S.value, S.first]
  const space = ' \t\r\n'
  const hex = '0123456789abcdefABCDEF'
  for (const state of [S.value, S.first, S.key, S.firstKey, S.colon, S.after]) on([state], space, state)
  on(numberEnds, space, S.after)
  const ends = [S.after, ...numberEnds]
  if (object !== undefined) on(ends, ',', object ? S.key : S.value)
  if (object === true) on([S.firstKey, ...ends], '}', S.close)
  if (object === false) on([S.first, ...ends], ']', S.close)
  on(valueStarts, '{', S.openObject)
  on(valueStarts, '[', S.openArray)
  on(valueStarts, '"', S.string)
  on([S.colon], ':', S.value)
  on([S.string], '"', S.after)
  on([S.string], '\\', S.escape)
  on([S.escape], '"\\/bfnrt', S.string)
  on([S.escape], 'u', S.hex1)
  for (const state of [S.hex1, S.hex2, S.hex3]) on([state], hex, state + 1)
  on([S.hex4], hex, S.string)
  on([S.key, S.firstKey], '"', S.keyStart)
  // Only a key that begins so can be the one that is refused; any other needs no second look.
  for (let byte = 0x20; byte < 0x100; byte++) made[(S.keyStart << 8) | byte] = S.keyPlain
  for (let byte = 0x20; byte < 0x100; byte++) made[(S.keyString << 8) | byte] = S.keyString
  on([S.keyStart], '_', S.keyUnderscore)
  on([S.keyStart, S.keyPlain], '"', S.colon)
  on([S.keyString], '"', S.closeKey)
  on([S.keyStart], '\\', S.firstEscape)
  on([S.keyString], '\\', S.keyEscape)
  on([S.keyPlain], '\\', S.otherKeyEscape)
  on([S.keyEscape], '"\\/bfnrt', S.keyEscaped)
  on([S.keyEscape], 'u', S.keyHex1)
  on([S.keyHex1, S.keyHex2, S.keyHex3, S.keyHex4], hex, S.keyHexDigit)
  on(valueStarts, '-', S.minus)
  on([...valueStarts, S.minus], '0', S.zero)
  on([...valueStarts, S.minus, S.int], '123456789', S.int)
  on([S.int], '0', S.int)
  on([S.zero, S.int], '.', S.point)
  on([S.point, S.fraction], '0123456789', S.fraction)
  on([S.zero, S.int, S.fraction], 'eE', S.exp)
  on([S.exp], '+-', S.expSign)
  on([S.exp, S.expSign, S.expDigits], '0123456789', S.expDigits)
  // Each of the three words is a chain of states of its own.
  let state: number = S.words
  for (const word of ['true', 'false', 'null']) {
    on(valueStarts, word.charAt(0), state)
    for (let i = 1; i < word.length; i++) {
      const next = i === word.length - 1 ? S.after : state + 1
      on([state], word.charAt(i), next)
      state++
    }
  }
  return made
}
