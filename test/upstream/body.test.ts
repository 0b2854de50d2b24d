import { expect, test } from 'vitest'
import { response } from '../support/origin.ts'
import { expectAlive, expectFailure, startSetting } from './setting.ts'

const replies = (body: string | Uint8Array) => response(200, { 'content-type': 'application/json' }, body)

test.each([
  ['HTML', '<!doctype html><title>502 Bad Gateway</title>'],
  ['JSON that breaks off', '{"a":'],
  ['two values', '{"a":1}{"b":2}'],
  ['a value and a NUL', '{"a":1}\0'],
  ['nothing but space', '  \n'],
  ['a byte order mark', '\ufeff{"a":1}'],
  ['bytes that are not UTF-8', Buffer.from('{"a":"\u00e9"}', 'latin1')],
  ['UTF-16', Buffer.from('{"a":1}', 'utf16le')],
  ['a depth of 10⁵', '['.repeat(1e5) + ']'.repeat(1e5)],
  ['a depth of 10⁵ that is never closed', '['.repeat(1e5)],
  ['objects nested 10⁵ deep', '{"a":'.repeat(1e5) + '1' + '}'.repeat(1e5)],
  ['a number of 9 MB', '1'.repeat(9e6)],
  ['a number of 9 MB behind a point', `[0.${'1'.repeat(9e6)}]`],
  ['a key __proto__', '{"a":{"__proto__":{"isAdmin":true}}}'],
  ['a key __proto__ in escapes', '{"\\u005f_proto__":{"isAdmin":true}}'],
])('U19: of %s the step fails, and the others are kept', async (_, body) => {
  await using setting = await startSetting((_request, socket) => void socket.write(replies(body)))
  await expectFailure(setting, 'invalid_body', 502)
  expect(({} as Record<string, unknown>)['isAdmin']).toBe(undefined)
})

test('U19: what follows invalid JSON is not waited for', async () => {
  await using setting = await startSetting((_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n{"a":nope')
  })
  await expectFailure(setting, 'invalid_body', 502)
  await setting.bad.until(({ open }) => open === 0)
})

test.each([
  ['an object', '{"a":[1,{"b":null}]}', '{"a":[1,{"b":null}]}'],
  ['space about a value', ' \r\n{ "a" : 1 }\n', ' \r\n{ "a" : 1 }\n'],
  ['a number that no double holds', '{"a":12345678901234567890.0}', '{"a":12345678901234567890.0}'],
  ['a key twice', '{"a":1,"a":2}', '{"a":1,"a":2}'],
  ['a bare string', '"text"', '"text"'],
  ['a bare null', 'null', 'null'],
  ['nothing', '', 'null'],
  [
    'constructor and prototype as keys',
    '{"constructor":{"prototype":{"x":1}}}',
    '{"constructor":{"prototype":{"x":1}}}',
  ],
])('U19: %s is a reply, and spliced as it came', async (_, body, spliced) => {
  await using setting = await startSetting((_request, socket) => void socket.write(replies(body)))
  expect(await setting.ask('/required')).toMatchObject({ status: 200, text: `{"x":${spliced}}` })
  await expectAlive(setting)
})

test('U19: JSON is JSON whatever the content type says', async () => {
  const says = response(200, { 'content-type': 'text/html' }, '{"a":1}')
  await using setting = await startSetting((_request, socket) => void socket.write(says))
  expect(await setting.ask('/required')).toMatchObject({ status: 200, text: '{"x":{"a":1}}' })
  await expectAlive(setting)
})

test('U19: as text any body is a reply, and bytes that are not UTF-8 are shown as such', async () => {
  const says = replies(Buffer.from('caf\u00e9 "<>" \u0001', 'latin1'))
  await using setting = await startSetting((_request, socket) => void socket.write(says), { step: 'decode: text' })
  expect((await setting.ask('/required')).json).toEqual({ x: 'caf\ufffd "<>" \u0001' })
  await expectAlive(setting)
})

test.each([
  [204, 'HTTP/1.1 204 No Content\r\n\r\n'],
  [200, 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
])('an answer of %i without a body is null', async (_, says) => {
  await using setting = await startSetting((_request, socket) => void socket.write(says))
  expect(await setting.ask('/required')).toMatchObject({ status: 200, text: '{"x":null}' })
  await expectAlive(setting)
})

test.each([
  ['404', 404, 404],
  ['401', 401, 401],
  ['429', 429, 429],
  ['503', 503, 503],
  ['407', 407, 502],
  ['500', 500, 502],
  ['302', 302, 502],
  ['304', 304, 502],
])(
  "a required step's own status %s is answered with the status that the table of failures has",
  async (_, received, status) => {
    await using setting = await startSetting(
      (_request, socket) => void socket.write(response(received, { 'retry-after': 7 }, '')),
    )
    const required = await setting.ask('/required')
    expect(required).toMatchObject({ status, json: { status, error: 'unaccepted_status' } })
    expect(required.headers.get('proxy-status')).toBe(`oneloop;received-status=${received}`)
    expect(required.headers.get('retry-after')).toBe(received === 429 || received === 503 ? '7' : null)
    const optional = await setting.ask('/optional')
    expect(optional.text).toBe('{"x":null,"y":{"y":1}}')
    expect(optional.headers.get('oneloop-missing')).toBe(`x;error=unaccepted_status;received-status=${received}`)
    await expectAlive(setting)
  },
)

test.each([
  ['Latin-1', Buffer.from('caf\u00e9', 'latin1')],
  ['UTF-8', Buffer.from('Łódź')],
])('header fields of a reply in %s pass a forward route as they came', async (_, bytes) => {
  const says = Buffer.concat([
    Buffer.from('HTTP/1.1 200 OK\r\nx-name: '),
    bytes,
    Buffer.from('\r\ncontent-length: 2\r\n\r\n{}'),
  ])
  await using setting = await startSetting((_request, socket) => void socket.write(says))
  const answer = await fetch(`${setting.gateway.url}/forward/x`)
  expect(answer.status).toBe(200)
  expect(Buffer.from(answer.headers.get('x-name') as string, 'latin1')).toEqual(bytes)
  await answer.text()
  await expectAlive(setting)
})
