import fc from 'fast-check'
import { Client } from 'undici'
import { describe, expect, it, test } from 'vitest'
import { readPlain } from '../../src/upstream/plain.ts'
import { startOrigin } from '../support/origin.ts'
import { startSetting } from './setting.ts'

const read = (text: string, from = 0) => {
  const bytes = Buffer.from(text, 'latin1')
  return readPlain(bytes, from, bytes.length)
}
const plain = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-One:  a b\t c\r\nContent-Length: 2\r\n\r\n{}'

describe('a plain reply', () => {
  it('is read with its fields, and tells where its body is', () => {
    const headers = { 'content-type': 'application/json', 'x-one': 'a b\t c', 'content-length': '2' }
    const { length } = plain
    expect(read(plain)).toEqual({ status: 200, headers, bodyAt: length - 2, end: length })
    expect(read(`__${plain}HTTP/1.1 200`, 2)).toEqual({ status: 200, headers, bodyAt: length, end: length + 2 })
  })

  it.each([
    'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 404 Not Found\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\nabc',
    'HTTP/1.1 599 \xe9\r\nDate: x\r\nKeep-Alive: timeout=5\r\nCONTENT-LENGTH: 000000001\r\n\r\n\0',
  ])('may be %j', (text) => expect(read(text)?.end).toBe(text.length))

  it('may have the longest head, and no longer one', () => {
    const withHead = (length: number): string => {
      const rest = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: \r\n\r\n'
      return rest.replace('x: ', `x: ${'y'.repeat(length - rest.length)}`)
    }
    expect(read(withHead(4096))).not.toBeNull()
    expect(read(withHead(4097))).toBeNull()
  })
})

describe('left to the parser is', () => {
  const bodiless = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'
  const withField = (field: string): string => bodiless.replace('content-length: 0', `content-length: 0\r\n${field}`)
  it.each([
    ['nothing', ''],
    ['another version', bodiless.replace('1.1', '1.0')],
    ['another protocol', bodiless.replace('HTTP', 'http')],
    ['an interim status', bodiless.replace('200', '103')],
    ['a status past all', bodiless.replace('200', '600')],
    ['a status of letters', bodiless.replace('200', '2x0')],
    ['a status of four digits', bodiless.replace('200', '2000')],
    ['a status that has no body', bodiless.replace('200', '204')],
    ['an answer that nothing has changed', bodiless.replace('200', '304')],
    ['a line without CR', bodiless.replace('\r\ncontent', '\ncontent')],
    ['a field without CR', withField('a: b\nc: d')],
    ['a bare CR', withField('a: b\rc: d')],
    ['NUL in a reason', bodiless.replace('OK', 'O\0K')],
    ['NUL in a value', withField('a: b\0c')],
    ['DEL in a value', withField('a: b\x7f')],
    ['a folded line', withField('a: b\r\n c')],
    ['space before a colon', withField('a : b')],
    ['no name', withField(': b')],
    ['no colon', withField('a')],
    ['no value', withField('a:')],
    ['a blank value', withField('a:  ')],
    ['space after a value', withField('a: b ')],
    ['a field twice', withField('a: b\r\nA: c')],
    ['what all objects have', withField('constructor: a')],
    ['__proto__', withField('__proto__: a')],
    ['what undici looks for in a list', withField('Length: 3')],
    ['a transfer coding', withField('Transfer-Encoding: chunked')],
    ['an upgrade', withField('Upgrade: h2c')],
    ['a trailer', withField('Trailer: x')],
    ['an end of the connection', withField('Connection: close')],
    ['connection options', withField('Connection: keep-alive, x')],
    ['no length', bodiless.replace('content-length', 'x')],
    ['two lengths', withField('content-length: 0')],
    ['a length of letters', bodiless.replace('th: 0', 'th: 0x0')],
    ['a negative length', bodiless.replace('th: 0', 'th: -1')],
    ['a list of lengths', bodiless.replace('th: 0', 'th: 0, 0')],
    ['a length that overflows', bodiless.replace('th: 0', 'th: 0000000000')],
    ['a body that is not all there', bodiless.replace('th: 0', 'th: 1')],
    ['a head that is not all there', bodiless.slice(0, -1)],
    ['too many fields', withField(Array.from({ length: 64 }, (_, i) => `a${i}: b`).join('\r\n'))],
  ])('%s', (_, text) => expect(read(text)).toBeNull())
})

test('what is read past the parser is what the parser reads', async () => {
  let bytes = Buffer.alloc(0)
  await using origin = await startOrigin((_, socket) => void socket.end(bytes))
  const name = fc.constantFrom(
    'a',
    'Content-Length',
    'content-type',
    'X-A',
    'Connection',
    'length',
    'Date',
    'set-cookie',
  )
  const value = fc.oneof(fc.constantFrom('0', '1', '5', 'keep-alive', 'a b', ' x', 'x\t', '\xe9'), fc.string())
  const fields = fc.array(fc.tuple(name, fc.constantFrom(':', ': ', ':\t ', ' : '), value), { maxLength: 5 })
  const ends = fc.constantFrom('\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r')
  const length = fc.option(fc.integer({ min: 0, max: 6 }), { freq: 8 })
  const status = fc.oneof(fc.integer({ min: 200, max: 599 }), fc.integer({ min: 0, max: 999 }))
  let both = 0
  await fc.assert(
    fc.asyncProperty(fields, ends, length, status, fc.string({ maxLength: 6 }), async (all, end, size, code, body) => {
      const own = size === null ? [] : [`Content-Length: ${size}`]
      const lines = [`HTTP/1.1 ${code} OK`, ...all.map((field) => field.join('')), ...own]
      bytes = Buffer.from(`${lines.join('\r\n')}${end}\r\n${body}`, 'latin1')
      const ours = readPlain(bytes, 0, bytes.length)
      if (ours === null) return
      both++
      const client = new Client(origin.url)
      const theirs = await client.request({ method: 'GET', path: '/' })
      const whole = Buffer.from(await theirs.body.arrayBuffer())
      await client.destroy()
      expect(ours).toMatchObject({ status: theirs.statusCode, headers: theirs.headers })
      expect(bytes.subarray(ours.bodyAt, ours.end)).toEqual(whole)
    }),
    { numRuns: 1_000 },
  )
  expect(both).toBeGreaterThan(30)
})

test('bytes behind a plain reply end its connection, whether they came with it or not', async () => {
  await using setting = await startSetting((_, socket) => void socket.write(`${plain}HTTP/1.1`))
  for (let i = 1; i <= 3; i++) {
    expect(await setting.ask('/required')).toMatchObject({ status: 200, text: '{"x":{}}' })
    await setting.bad.until(({ open }) => open === 0)
    expect(setting.gateway.read('oneloop.connections.broken', { upstream: 'bad' })).toBe(i)
  }
})
