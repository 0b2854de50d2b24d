import { expect, test } from 'vitest'
import { type Origin, type Script, json, response, startOrigin } from '../support/origin.ts'
import { expectAlive, expectProblem, startSetting } from './setting.ts'

/** Sends who asks for `/x` to where `location` says, and answers all else. */
function redirecting(status: number, location: string): Script {
  return (request, socket) => {
    socket.write(request.target === '/x' ? response(status, { location }, '') : json({ at: request.target }))
  }
}

const targets = ({ requests }: Origin): string[] => requests.map(({ method, target }) => `${method} ${target}`)

test('U21: a redirect is not followed unless that was asked for', async () => {
  await using setting = await startSetting(redirecting(302, '/there'))
  expectProblem(await setting.ask('/required'), 502, 'oneloop;received-status=302')
  expect(targets(setting.bad)).toEqual(['GET /x'])
  await expectAlive(setting)
})

test.each([301, 302, 303, 307, 308])('U21: if asked for, %i is followed within the origin', async (status) => {
  await using setting = await startSetting(redirecting(status, '/there?a=b#c'), { upstream: 'redirects: 3' })
  expect(await setting.ask('/required')).toMatchObject({ status: 200, json: { x: { at: '/there?a=b' } } })
  expect(targets(setting.bad)).toEqual(['GET /x', 'GET /there?a=b'])
  await expectAlive(setting)
})

test.each([
  ['a path below', 'there', '/there'],
  ['a path that goes up', '../../there', '/there'],
  ['a query alone', '?a=b', '/x?a=b'],
  ['a path with a space', '/the re', '/the%20re'],
])('U21: a location that is %s is taken from where the call went', async (_, location, target) => {
  const script: Script = (request, socket) => {
    socket.write(request.target === '/x' ? response(302, { location }, '') : json({ at: request.target }))
  }
  await using setting = await startSetting(script, { upstream: 'redirects: 1' })
  expect((await setting.ask('/required')).json).toEqual({ x: { at: target } })
  await expectAlive(setting)
})

test("U21: a location that is a URL of the endpoint's own origin is followed, and may lie outside its base path", async () => {
  await using setting = await startSetting(
    (request, socket) => {
      const location = `${setting.bad.url}/there`
      socket.write(request.target === '/base/x' ? response(302, { location }, '') : json({ at: request.target }))
    },
    { upstream: 'redirects: 1', url: ({ url }) => `${url}/base` },
  )
  expect((await setting.ask('/required')).json).toEqual({ x: { at: '/there' } })
  await expectAlive(setting)
})

test('U21: a loop is followed three times', async () => {
  await using setting = await startSetting(redirecting(302, '/x'), { upstream: 'redirects: 3' })
  expectProblem(await setting.ask('/required'), 502, 'oneloop;received-status=302')
  const optional = await setting.ask('/optional')
  expect(optional.text).toBe('{"x":null,"y":{"y":1}}')
  expect(optional.headers.get('oneloop-missing')).toBe('x;error=unaccepted_status;received-status=302')
  expect(targets(setting.bad)).toEqual(Array.from({ length: 8 }, () => 'GET /x'))
  await expectAlive(setting)
  // A call is one call, however many hops it took.
  expect(setting.gateway.read('oneloop.calls', { upstream: 'bad' })).toBe(2)
})

test('U21: a chain is followed as far as was asked for', async () => {
  await using setting = await startSetting(
    (request, socket) => void socket.write(response(302, { location: `${request.target}x` }, '')),
    { upstream: 'redirects: 2' },
  )
  expectProblem(await setting.ask('/required'), 502, 'oneloop;received-status=302')
  expect(targets(setting.bad)).toEqual(['GET /x', 'GET /xx', 'GET /xxx'])
  await expectAlive(setting)
})

test('U21: no other origin is ever called, so none ever sees a credential', async () => {
  await using other = await startOrigin((_request, socket) => void socket.write(json({ stolen: true })))
  const elsewhere = (port: number): string[] => [
    `${other.url}/x`,
    `//127.0.0.1:${other.port}/x`,
    `/\\127.0.0.1:${other.port}/x`,
    `http://127.0.0.1:${port}@127.0.0.1:${other.port}/x`,
    `http://localhost:${port}/there`,
    `https://127.0.0.1:${port}/there`,
    'http://169.254.169.254/latest/meta-data',
    '//169.254.169.254/latest/meta-data',
    'http://[fe80::1]/there',
    'file:///etc/passwd',
    'data:application/json,{}',
    'http://[',
  ]
  const locations: string[] = []
  await using setting = await startSetting(
    (_request, socket) => void socket.write(response(302, { location: locations.shift() as string }, '')),
    { upstream: 'redirects: 3, headers: { authorization: Bearer secret }' },
  )
  for (const location of elsewhere(setting.bad.port)) {
    locations.push(location)
    const answer = await setting.ask('/required')
    expectProblem(answer, 502, 'oneloop;received-status=302')
    expect(answer.text + [...answer.headers].join()).not.toContain('there')
  }
  expect(other.opened).toBe(0)
  expect(setting.bad.requests.length).toBe(elsewhere(0).length)
  await expectAlive(setting)
})

test.each([
  ['no location', ''],
  ['two locations', 'location: /a\r\nlocation: /b\r\n'],
])('U21: a redirect with %s is followed nowhere', async (_, fields) => {
  await using setting = await startSetting(
    (_request, socket) => void socket.write(`HTTP/1.1 302 Found\r\n${fields}content-length: 0\r\n\r\n`),
    { upstream: 'redirects: 3' },
  )
  expectProblem(await setting.ask('/required'), 502, 'oneloop;received-status=302')
  expect(setting.bad.requests.length).toBe(1)
  await expectAlive(setting)
})

test("U21: within the origin the call's own fields go along", async () => {
  const settings = { upstream: 'redirects: 1, headers: { authorization: Bearer secret }' }
  await using setting = await startSetting(redirecting(302, '/there'), settings)
  await setting.ask('/required')
  expect(setting.bad.requests.map(({ headers }) => headers['authorization'])).toEqual([
    'Bearer secret',
    'Bearer secret',
  ])
  await expectAlive(setting)
})

const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}' }

test.each([301, 302, 303])('U21: after %i a POST goes on as a GET, without its body', async (status) => {
  await using setting = await startSetting(redirecting(status, '/there'), { upstream: 'redirects: 1' })
  expect(await setting.ask('/posted', post)).toMatchObject({ status: 200 })
  expect(targets(setting.bad)).toEqual(['POST /x', 'GET /there'])
  const [, onward] = setting.bad.requests
  expect(Object.keys(onward?.headers ?? {}).filter((name) => /^content-|^transfer-/.test(name))).toEqual([])
  expect((await onward?.body)?.length).toBe(0)
  await expectAlive(setting)
})

test.each([307, 308])('U21: after %i a POST goes on as it was', async (status) => {
  await using setting = await startSetting(redirecting(status, '/there'), { upstream: 'redirects: 1' })
  expect(await setting.ask('/posted', post)).toMatchObject({ status: 200 })
  expect(targets(setting.bad)).toEqual(['POST /x', 'POST /there'])
  const [, onward] = setting.bad.requests
  expect(onward?.headers['content-type']).toBe('application/json')
  expect((await onward?.body)?.toString()).toBe('{"a":1}')
  await expectAlive(setting)
})

test('U21: all hops together have the time of one attempt', async () => {
  await using setting = await startSetting(
    (request, socket) => {
      if (request.target === '/x') socket.write(response(302, { location: '/there' }, ''))
    },
    { upstream: 'redirects: 3, timeout: 100ms' },
  )
  expectProblem(await setting.ask('/required'), 504, 'oneloop;error=http_response_timeout')
  expect(targets(setting.bad)).toEqual(['GET /x', 'GET /there'])
  await expectAlive(setting)
})

test('U21: a forward route passes a redirect on', async () => {
  await using setting = await startSetting(redirecting(302, '/there'), { upstream: 'redirects: 3' })
  const answer = await setting.ask('/forward/x', { redirect: 'manual' })
  expect({ status: answer.status, location: answer.headers.get('location') }).toEqual({
    status: 302,
    location: '/there',
  })
  expect(setting.bad.requests.length).toBe(1)
  await expectAlive(setting)
})
