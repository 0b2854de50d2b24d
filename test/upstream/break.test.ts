import { once } from 'node:events'
import { connect } from 'node:net'
import { get } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { expectAlive, expectFailure, startSetting } from './setting.ts'

const ok = 'HTTP/1.1 200 OK\r\n'

/** Breaks off once what was written has arrived: a reset may overtake it. */
async function reset(socket: Socket): Promise<void> {
  await pause(30)
  socket.resetAndDestroy()
}

test('U1: a refused connection fails the step', async () => {
  await using setting = await startSetting(() => {}, { url: () => 'http://127.0.0.1:1' })
  await expectFailure(setting, 'connection_refused', 502)
})

test('U2: a connection closed as soon as it is there fails the step', async () => {
  await using setting = await startSetting(() => {}, { connected: (socket) => socket.destroy() })
  await expectFailure(setting, 'connection_terminated', 502)
})

test.each<[string, (socket: Socket) => unknown]>([
  ['closed before any byte of a reply', (socket) => socket.end()],
  ['closed within the status line', (socket) => socket.end('HTTP/1.1 20')],
  ['closed within the headers', (socket) => socket.end(`${ok}content-length: 2\r\ncontent-`)],
  ['reset before any byte of a reply', (socket) => socket.resetAndDestroy()],
  ['reset within the headers', (socket) => (socket.write(`${ok}content-le`), reset(socket))],
])('U2: a connection %s fails the step', async (_, breakOff) => {
  await using setting = await startSetting(async (_request, socket) => void (await breakOff(socket)))
  await expectFailure(setting, 'connection_terminated', 502)
})

test('U2: without further attempts a call is sent once', async () => {
  await using setting = await startSetting((_request, socket) => void socket.end())
  await setting.ask('/required')
  await expectAlive(setting)
  expect(setting.bad.requests.length).toBe(1)
})

/** Replies that break off, each as far as it came. */
const broken: readonly (readonly [string, string])[] = [
  ['with a content-length', `${ok}content-length: 20\r\n\r\n{"a":1`],
  ['with a content-length and "connection: close"', `${ok}content-length: 20\r\nconnection: close\r\n\r\n{"a":1`],
  ['of which no byte of the body came', `${ok}content-length: 20\r\n\r\n`],
  ['in chunks', `${ok}transfer-encoding: chunked\r\n\r\n6\r\n{"a":1\r\n`],
  ['in chunks with "connection: close"', `${ok}transfer-encoding: chunked\r\nconnection: close\r\n\r\n6\r\n{"a":1\r\n`],
  ['within a chunk', `${ok}transfer-encoding: chunked\r\nconnection: close\r\n\r\n9\r\n{"a":1`],
  [
    'of which only the last chunk is missing',
    `${ok}transfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\n{}\r\n`,
  ],
  ['of which only the last line is missing', `${ok}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n`],
]

test.each(broken)('U4: a reply %s that is truncated fails the step', async (_, says) => {
  await using setting = await startSetting((_request, socket) => void socket.end(says))
  await expectFailure(setting, 'http_response_incomplete', 502)
})

test.each(broken)('U3: a reply %s whose connection is reset fails the step', async (_, says) => {
  await using setting = await startSetting((_request, socket) => (socket.write(says), reset(socket)))
  await expectFailure(setting, 'http_response_incomplete', 502)
})

test('U3: a reset is no end, also of a reply that lasts until its connection ends', async () => {
  const script = (_request: unknown, socket: Socket) => (
    socket.write(`${ok}content-type: text/plain\r\n\r\nhalf`),
    reset(socket)
  )
  await using setting = await startSetting(script, { step: 'decode: text' })
  await expectFailure(setting, 'http_response_incomplete', 502)
})

test('a reply that lasts until its connection ends is whole when it does', async () => {
  await using setting = await startSetting((_request, socket) => void socket.end(`${ok}\r\n{"a":1}`))
  expect(await setting.ask('/required')).toMatchObject({ status: 200, text: '{"x":{"a":1}}' })
  await expectAlive(setting)
})

/** Asks for a forward route and tells what the client got of its body, and whether that was all. */
async function download(url: string): Promise<{ status: number; text: string; whole: boolean }> {
  const [response] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage]
  let text = ''
  response.setEncoding('utf8').on('data', (part: string) => (text += part))
  // Told by `complete`.
  response.on('error', () => {})
  await new Promise((resolve) => response.on('close', resolve))
  return { status: response.statusCode ?? 0, text, whole: response.complete }
}

test.each(broken.filter(([name]) => !name.includes('no byte')))(
  'U4: on a forward route a reply %s that is truncated breaks off for the client as well',
  async (_, says) => {
    await using setting = await startSetting(async (_request, socket) => {
      socket.write(says)
      await pause(30)
      socket.end()
    })
    const { gateway } = setting
    const answer = await download(`${gateway.url}/forward/x`)
    expect(answer).toMatchObject({ status: 200, whole: false })
    expect(answer.text).toMatch(/^\{/)
    await expectAlive(setting)
    const failed = { 'http.route': 'ANY /forward/*', result: 'http_response_incomplete' }
    expect(gateway.read('oneloop.requests', failed)).toBe(1)
    expect(gateway.lines).toMatchObject([{ fields: { reason: 'http_response_incomplete' } }])
  },
)

test('U3: on a forward route a reset breaks off for the client as well, also without a length', async () => {
  await using setting = await startSetting((_request, socket) => (socket.write(`${ok}\r\nhalf`), reset(socket)))
  expect(await download(`${setting.gateway.url}/forward/x`)).toEqual({ status: 200, text: 'half', whole: false })
  await expectAlive(setting)
})

test('U4: on a forward route a client of HTTP/1.0, to whom the end is the end of the body, is reset', async () => {
  await using setting = await startSetting(async (_request, socket) => {
    socket.write(`${ok}content-length: 20\r\n\r\nhalf`)
    await pause(30)
    socket.end()
  })
  const client = connect(setting.gateway.port, '127.0.0.1').setEncoding('latin1')
  client.write('GET /forward/x HTTP/1.0\r\n\r\n')
  const [error] = (await once(client, 'error')) as [Error & { code: string }]
  expect(error.code).toBe('ECONNRESET')
  await expectAlive(setting)
})

test('U2: on a forward route a connection that ends before a reply is answered with 502', async () => {
  await using setting = await startSetting((_request, socket) => void socket.end())
  const answer = await setting.ask('/forward/x')
  expect(answer).toMatchObject({ status: 502, json: { error: 'connection_terminated' } })
  expect(answer.headers.get('proxy-status')).toBe('oneloop;error=connection_terminated')
  await expectAlive(setting)
})
