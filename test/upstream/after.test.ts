import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { json, response } from '../support/origin.ts'
import { ask, expectAlive, expectNoReuse, expectProblem, startSetting } from './setting.ts'

const broken = { upstream: 'bad' }

test('a connection on which nothing went wrong is used again', async () => {
  await using setting = await startSetting((_request, socket) => void socket.write(json({ a: 1 })))
  for (let i = 0; i < 5; i++) expect((await setting.ask('/required')).text).toBe('{"x":{"a":1}}')
  await setting.gateway.idle()
  expect(setting.bad.opened).toBe(1)
  expect(setting.gateway.read('oneloop.connections.broken', broken)).toBe(0)
})

test.each([
  ['another reply', json({ b: 2 })],
  ['the beginning of another reply', 'HTTP/1.1 200 OK\r\ncontent-le'],
  ['something that is not HTTP', 'xyz'],
  ['more of the body than its length said', '}}'],
])('U13: with %s behind a reply, the reply is used and the connection is not', async (_, more) => {
  const both = Buffer.concat([json({ a: 1 }), Buffer.from(more as string)])
  await using setting = await startSetting((_request, socket) => void socket.write(both))
  for (let i = 0; i < 3; i++) expect((await setting.ask('/required')).text).toBe('{"x":{"a":1}}')
  await expectAlive(setting)
  await expectNoReuse(setting)
  expect(setting.gateway.read('oneloop.connections.broken', broken)).toBe(3)
})

test('U13: what comes on a connection that nobody uses ends the connection, and reaches no client', async () => {
  const { promise: told, resolve: tell } = Promise.withResolvers<void>()
  await using setting = await startSetting((request, socket) => {
    socket.write(json({ from: request.connection }))
    if (request.connection === 1) void told.then(() => socket.write(json({ not: 'asked for' })))
  })
  expect((await setting.ask('/required')).text).toBe('{"x":{"from":1}}')
  await setting.gateway.idle()
  tell()
  await setting.bad.until(({ open }) => open === 0)
  expect(setting.gateway.read('oneloop.connections.broken', broken)).toBe(1)
  expect((await setting.ask('/required')).text).toBe('{"x":{"from":2}}')
  await expectAlive(setting)
})

test('a connection that the origin says it closes is not used again, nor counted as broken', async () => {
  const script = json({ a: 1 }, 200, { connection: 'close' })
  await using setting = await startSetting((_request, socket) => void socket.end(script))
  for (let i = 0; i < 3; i++) expect((await setting.ask('/required')).text).toBe('{"x":{"a":1}}')
  await expectAlive(setting)
  await expectNoReuse(setting)
  expect(setting.gateway.read('oneloop.connections.broken', broken)).toBe(0)
})

test('U26: an early answer to a step is passed on, sending stops, and the connection is not used again', async () => {
  await using setting = await startSetting((request, socket) => {
    // Not another byte is read of a body that is longer than what buffers on the way can take.
    socket.pause()
    socket.write(response(request.connection === 1 ? 413 : 200, { 'content-type': 'text/plain' }, ''))
  })
  const body = JSON.stringify('x'.repeat(16 * 1024 ** 2))
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
  const early = await setting.ask('/posted', post)
  expectProblem(early, 413, 'oneloop;received-status=413')
  await setting.gateway.idle()
  expect((await setting.ask('/posted', { ...post, body: '1' })).text).toBe('{"x":null}')
  expect(setting.bad.requests.map(({ connection }) => connection)).toEqual([1, 2])
  await expectAlive(setting)
})

test('U26: an early answer to an upload on a forward route is passed on, and sending stops', async () => {
  await using setting = await startSetting((_request, socket) => {
    socket.pause()
    socket.write(response(413, {}, 'too much'))
  })
  // A client that asks for its connection to be closed may lose the answer by sending on: that is HTTP.
  const agent = new Agent({ keepAlive: true })
  const upload = request(`${setting.gateway.url}/forward/x`, { method: 'POST', agent })
  const piece = Buffer.alloc(64 * 1024)
  const send = (): void => {
    while (!upload.destroyed && upload.write(piece)) continue
  }
  upload.on('drain', send).on('error', () => {})
  send()
  const [answer] = (await once(upload, 'response')) as [IncomingMessage]
  expect(answer.statusCode).toBe(413)
  expect(await answer.setEncoding('utf8').reduce((all: string, part: string) => all + part, '')).toBe('too much')
  // An upload without an end that nobody wants must not be taken in for ever.
  await new Promise((resolve) => upload.on('close', resolve))
  await expectAlive(setting)
  expect(await ask(`${setting.gateway.url}/forward/y`)).toMatchObject({ status: 413, text: 'too much' })
  expect(setting.bad.requests.map(({ connection }) => connection)).toEqual([1, 2])
})
