import { expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { ask } from './setting.ts'

test('a step that begins as another is refused a connection is refused one too, and nothing worse', async () => {
  const origin = await startOrigin(() => {})
  await origin[Symbol.asyncDispose]()
  await using gateway = await startGateway(`
upstreams: { gone: { endpoints: ["${origin.url}"], retry: 0, breaker: off } }
routes:
  - match: GET /
    steps:
      a: { call: GET gone /a, optional: true, fallback: { id: 1 } }
      b: { call: "GET gone /{a.id}", optional: true, fallback: 2 }
      c: { call: "GET gone /{b}", optional: true, fallback: 3 }
`)
  for (let i = 0; i < 3; i++) {
    expect(await ask(gateway.url)).toMatchObject({ status: 200, text: '{"a":{"id":1},"b":2,"c":3}' })
  }
})
