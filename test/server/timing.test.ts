import { expect, test } from 'vitest'
import { ask, request } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { json, startOrigin } from '../support/origin.ts'

const routes = (origin: string): string => `
defaults: { breaker: off, retry: 0 }
upstreams: { u: { endpoints: ["${origin}"] } }
routes:
  - match: GET /all
    steps:
      one: { call: GET u /one, cache: 1m }
      two: { call: GET u /fails, optional: true }
      never: { call: GET u /never, when: { query.never: "1" } }
  - { match: GET /fails, steps: { one: { call: GET u /fails } } }
`

const startShop = () =>
  startOrigin(({ target }, socket) => {
    socket.write(target === '/fails' ? 'HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n' : json({}))
  })

/** Takes `Server-Timing` apart: names, whether each has a duration of no less than 0, and descriptions. */
function metrics(field: string | undefined): [name: string | undefined, timed: boolean, said: string | undefined][] {
  return (field ?? '').split(', ').map((metric) => {
    const [, name, ms, said] = /^([\w-]+);dur=(\d+\.\d\d)(?:;desc="([^"]*)")?$/.exec(metric) ?? []
    return [name, Number(ms) >= 0, said]
  })
}

test('a client is told how long each step took and what the cache had to say, and the part of the loop', async () => {
  await using origin = await startShop()
  await using gateway = await startGateway(`telemetry: { timing: true }${routes(origin.url)}`)
  const told = async (path: string) => metrics((await ask(gateway.port, request('GET', path))).headers['server-timing'])
  const loop = [
    ['oneloop-wait', true, 'at most'],
    ['oneloop-busy', true, 'loop'],
    ['oneloop-total', true, undefined],
  ]
  expect(await told('/all')).toEqual([['one', true, 'miss'], ['two', true, 'unaccepted_status'], ...loop])
  expect(await told('/all')).toEqual([['one', true, 'hit'], ['two', true, 'unaccepted_status'], ...loop])
  expect(await told('/fails')).toEqual([['one', true, 'unaccepted_status'], ...loop])
})

test('without being asked for it is not told', async () => {
  await using origin = await startShop()
  await using gateway = await startGateway(routes(origin.url))
  for (const path of ['/all', '/fails']) {
    expect((await ask(gateway.port, request('GET', path))).headers).not.toHaveProperty('server-timing')
  }
})
