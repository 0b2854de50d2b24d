import { expect, test } from 'vitest'
import { Instruments, type Reading } from '../../src/telemetry/instruments.ts'
import { callMeter, requestMeter, seriesOf } from '../../src/telemetry/meters.ts'
import { ask, startSetting } from '../upstream/setting.ts'

const route = { name: 'r', methods: ['GET', 'HEAD'], upstreams: [] }

const told = (readings: readonly Reading[], name: string) =>
  readings
    .filter((one) => one.name === name)
    .map(({ attributes: { upstream: _, 'http.route': __, ...attributes }, value, buckets = [] }) => {
      return `${Object.values(attributes).join(' ')}: ${buckets.reduce((sum, count) => sum + count, 0)} in ${value} s`
    })
    .toSorted((a, b) => (a < b ? -1 : 1))

test('a request is recorded by method, status and failure, in seconds', () => {
  const instruments = new Instruments(seriesOf([route], []))
  const meter = requestMeter(instruments, route)
  meter.end('ok', 'GET', 200, 1_000)
  meter.end('ok', 'GET', 200, 2_000)
  meter.end('partial', 'HEAD', 200, 1_000)
  meter.end('ok', 'GET', 226, 1_000)
  meter.end('client_error', 'GET', 418, 1_000)
  meter.end('unaccepted_status', 'GET', 503, 1_000)
  meter.end('unaccepted_status', 'GET', 599, 1_000)
  // The connection was broken off after the head.
  meter.end('http_response_incomplete', 'GET', 200, 1_000)
  meter.end('cancelled', 'GET', 499, 1_000)
  expect(told(instruments.read(), 'http.server.request.duration')).toEqual([
    'GET 200: 2 in 3 s',
    'GET 2xx: 1 in 1 s',
    'GET 499 cancelled: 1 in 1 s',
    'GET 4xx: 1 in 1 s',
    'GET 502 http_response_incomplete: 1 in 1 s',
    'GET 503 unaccepted_status: 1 in 1 s',
    'GET 5xx unaccepted_status: 1 in 1 s',
    'HEAD 200: 1 in 1 s',
  ])
})

test('an attempt is recorded by method, status if it has one, and failure', () => {
  const instruments = new Instruments(seriesOf([], ['u']))
  const meter = callMeter(instruments, 'u')
  meter.attempt('GET', 200, null, 1_000)
  meter.attempt('POST', 404, 'unaccepted_status', 1_000)
  meter.attempt('GET', 0, 'connection_refused', 1_000)
  meter.attempt('GET', 200, 'invalid_body', 1_000)
  expect(told(instruments.read(), 'http.client.request.duration')).toEqual([
    'GET 200: 1 in 1 s',
    'GET connection_refused: 1 in 1 s',
    'GET invalid_body: 1 in 1 s',
    'POST 404 unaccepted_status: 1 in 1 s',
  ])
})

test('each request and each attempt that goes over the wire is recorded once', async () => {
  await using setting = await startSetting((_, socket) => {
    socket.write('HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n')
  })
  expect((await setting.ask('/required')).status).toBe(404)
  expect((await ask(`${setting.gateway.url}/optional`)).status).toBe(200)
  await setting.gateway.idle()
  const count = (name: string) => {
    const found = setting.gateway.readings().filter((one) => one.name === name)
    return found.map(({ attributes, buckets = [] }) => [
      attributes['http.route'] ?? attributes['upstream'],
      attributes['http.response.status_code'],
      buckets.reduce((sum, one) => sum + one, 0),
    ])
  }
  expect(count('http.server.request.duration')).toEqual([
    ['GET /required', '404', 1],
    ['GET /optional', '200', 1],
  ])
  expect(count('http.client.request.duration')).toEqual([
    ['bad', '404', 2],
    ['good', '200', 1],
  ])
})
