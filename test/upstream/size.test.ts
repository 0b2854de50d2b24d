import type { Socket } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { response } from '../support/origin.ts'
import { expectAlive, expectFailure, expectNoReuse, startSetting } from './setting.ts'

const KiB = 1024
const ok = 'HTTP/1.1 200 OK\r\n'
const text = (length: number): string => `"${'x'.repeat(length - 2)}"`

/** Writes the same again and again for as long as somebody reads it. */
function endlessly(socket: Socket, bytes: string): void {
  const write = (): void => {
    while (socket.writable && socket.write(bytes)) continue
  }
  socket.on('drain', write)
  write()
}

const piece = 'x'.repeat(16 * KiB)

test.each<[string, (socket: Socket) => void | Promise<void>]>([
  ['that says of itself that it is too large', (socket) => void socket.write(`${ok}content-length: 1025\r\n\r\n`)],
  [
    'that says of itself that it is larger than memory',
    (socket) => void socket.write(`${ok}content-length: 9007199254740991\r\n\r\n`),
  ],
  [
    'that is one byte too large',
    (socket) => void socket.write(`${ok}transfer-encoding: chunked\r\n\r\n401\r\n${text(1025)}\r\n0\r\n\r\n`),
  ],
  [
    'in chunks without an end',
    (socket) => {
      socket.write(`${ok}transfer-encoding: chunked\r\n\r\n4000\r\n"${piece.slice(1)}\r\n`)
      return endlessly(socket, `4000\r\n${piece}\r\n`)
    },
  ],
  [
    'in one endless chunk',
    (socket) => {
      socket.write(`${ok}transfer-encoding: chunked\r\n\r\nfffffffff\r\n"`)
      return endlessly(socket, piece)
    },
  ],
  [
    'that lasts until its connection ends, which it never does',
    (socket) => {
      socket.write(`${ok}\r\n"`)
      return endlessly(socket, piece)
    },
  ],
])('U8: a body %s is cut at the bound, and the connection is closed', async (_, script) => {
  await using setting = await startSetting((_request, socket) => script(socket), { upstream: 'maxBody: 1KiB' })
  await expectFailure(setting, 'http_response_body_size', 502)
  await expectNoReuse(setting)
})

test('U8: a body of exactly the bound is a reply', async () => {
  const script = response(200, {}, text(KiB))
  await using setting = await startSetting((_request, socket) => void socket.write(script), {
    upstream: 'maxBody: 1KiB',
  })
  expect(await setting.ask('/required')).toMatchObject({ status: 200, text: `{"x":${text(KiB)}}` })
  await expectAlive(setting)
})

test('U8: without a bound written, 10 MiB are a reply and a byte more is not', async () => {
  const sizes = [10 * KiB ** 2, 10 * KiB ** 2 + 1]
  await using setting = await startSetting(
    (request, socket) => {
      socket.write(response(200, {}, text(sizes[request.connection - 1] as number)))
    },
    { upstream: 'connections: 1' },
  )
  const whole = await setting.ask('/required')
  expect({ status: whole.status, length: whole.text.length }).toEqual({ status: 200, length: 10 * KiB ** 2 + 6 })
  // The first connection is still good: the second size is asked for on another.
  sizes[0] = sizes[1] as number
  expect((await setting.ask('/required')).json).toMatchObject({ status: 502, error: 'http_response_body_size' })
  await expectAlive(setting)
})

test('U8: on a forward route a body passes whatever its size', async () => {
  const script = response(200, {}, text(100 * KiB))
  await using setting = await startSetting((_request, socket) => void socket.write(script), {
    upstream: 'maxBody: 1KiB',
  })
  expect(await setting.ask('/forward/x')).toMatchObject({ status: 200, text: text(100 * KiB) })
  await expectAlive(setting)
})

const value = Buffer.from('{"a":"äöü"}')
const coded = (coding: string, body: Uint8Array): Buffer => response(200, { 'content-encoding': coding }, body)

test.each([
  ['gzip', coded('gzip', gzipSync(value))],
  ['x-gzip', coded('x-gzip', gzipSync(value))],
  ['GZIP in capitals', coded('GZIP', gzipSync(value))],
  ['gzip in two members', coded('gzip', Buffer.concat([gzipSync(value.subarray(0, 5)), gzipSync(value.subarray(5))]))],
  ['deflate', coded('deflate', deflateSync(value))],
  ['br', coded('br', brotliCompressSync(value))],
  ['zstd', coded('zstd', zstdCompressSync(value))],
  ['identity', coded('identity', value)],
  ['Identity with a capital', coded('Identity', value)],
  ['nothing at all', coded('', value)],
])('U20: a body coded with %s is decoded', async (_, says) => {
  await using setting = await startSetting((_request, socket) => void socket.write(says))
  const answer = await setting.ask('/required')
  expect(answer).toMatchObject({ status: 200, text: `{"x":${value.toString()}}` })
  expect(answer.headers.get('content-encoding')).toBe(null)
  await expectAlive(setting)
})

test('U20: an empty body is empty, whatever coding its reply names', async () => {
  await using setting = await startSetting((_request, socket) => void socket.write(coded('gzip', Buffer.alloc(0))))
  expect(await setting.ask('/required')).toMatchObject({ status: 200, text: '{"x":null}' })
  await expectAlive(setting)
})

const flipped = (body: Buffer, at: number): Buffer => {
  const changed = Buffer.from(body)
  changed[at] = (changed[at] as number) ^ 0xff
  return changed
}
const large = Buffer.from(JSON.stringify(Array.from({ length: 500 }, (_, i) => `value ${i}`)))
const zeros = Buffer.alloc(64 * KiB ** 2, '0')

test.each([
  ['a gzip bomb', coded('gzip', gzipSync(zeros))],
  [
    'a gzip bomb in many members',
    coded('gzip', Buffer.concat(Array.from({ length: 100 }, () => gzipSync(zeros.subarray(0, KiB ** 2))))),
  ],
  ['a deflate bomb', coded('deflate', deflateSync(zeros))],
  ['a brotli bomb', coded('br', brotliCompressSync(zeros.subarray(0, 8 * KiB ** 2)))],
  ['a zstd bomb', coded('zstd', zstdCompressSync(zeros))],
  ['gzip in gzip', coded('gzip, gzip', gzipSync(gzipSync(value)))],
  [
    'gzip in gzip on two lines',
    Buffer.concat([
      Buffer.from(
        `${ok}content-encoding: gzip\r\ncontent-encoding: gzip\r\ncontent-length: ${gzipSync(gzipSync(value)).length}\r\n\r\n`,
      ),
      gzipSync(gzipSync(value)),
    ]),
  ],
  ['br in gzip', coded('br, gzip', gzipSync(brotliCompressSync(value)))],
  ['a coding that nobody knows', coded('lzw', value)],
  ['the name of a method of objects as its coding', coded('constructor', value)],
  ['gzip that is none', coded('gzip', value)],
  ['gzip that breaks off', coded('gzip', gzipSync(large).subarray(0, -20))],
  ['gzip without its last byte', coded('gzip', gzipSync(large).subarray(0, -1))],
  ['gzip with a wrong checksum', coded('gzip', flipped(gzipSync(large), gzipSync(large).length - 6))],
  ['br that is none', coded('br', value)],
  ['br that breaks off', coded('br', brotliCompressSync(large).subarray(0, -20))],
  ['zstd that is none', coded('zstd', value)],
  ['zstd that breaks off', coded('zstd', zstdCompressSync(large).subarray(0, -20))],
  ['deflate that breaks off', coded('deflate', deflateSync(large).subarray(0, -20))],
])('U20: %s fails the step', async (_, says) => {
  await using setting = await startSetting((_request, socket) => void socket.write(says), { upstream: 'maxBody: 1MiB' })
  await expectFailure(setting, 'http_response_content_coding', 502)
})

test('U20: what is decoded to something else than JSON fails the step', async () => {
  await using setting = await startSetting(
    (_request, socket) => void socket.write(coded('gzip', gzipSync('{"__proto__":1}'))),
  )
  await expectFailure(setting, 'invalid_body', 502)
})

test('U20: text is decoded as well', async () => {
  const says = coded('br', brotliCompressSync('so "it" is'))
  await using setting = await startSetting((_request, socket) => void socket.write(says), { step: 'decode: text' })
  expect((await setting.ask('/required')).json).toEqual({ x: 'so "it" is' })
  await expectAlive(setting)
})

test('U20: the body of a status that is not accepted decides nothing, even if it cannot be decoded', async () => {
  const says = response(404, { 'content-encoding': 'gzip' }, 'not gzip')
  await using setting = await startSetting((_request, socket) => void socket.write(says))
  const answer = await setting.ask('/required')
  expect(answer).toMatchObject({ status: 404, json: { error: 'unaccepted_status' } })
  await expectAlive(setting)
})

test('U20: a forward route passes a coded body on as it came', async () => {
  const says = coded('gzip', gzipSync(value))
  await using setting = await startSetting((_request, socket) => void socket.write(says))
  const answer = await fetch(`${setting.gateway.url}/forward/x`)
  expect(answer.headers.get('content-encoding')).toBe('gzip')
  expect(await answer.text()).toBe(value.toString())
  await expectAlive(setting)
})
