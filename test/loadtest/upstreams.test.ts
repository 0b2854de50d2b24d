import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serve, type Service } from '../../loadtest/upstreams/service.ts'
import { sources } from '../../loadtest/upstreams/sources.ts'

let services: Map<string, Service>

beforeAll(async () => {
  const started = await Promise.all(sources.map((source) => serve(source, { port: 0, seed: 1 })))
  services = new Map(started.map((service) => [service.name, service]))
})

afterAll(() => Promise.all([...services.values()].map((service) => service.close())))

const ask = (name: string, path: string, init?: RequestInit) => fetch(services.get(name)!.url + path, init)

async function json(name: string, path: string, init?: RequestInit): Promise<unknown> {
  const response = await ask(name, path, init)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/json')
  return response.json()
}

const post = (body: unknown): RequestInit => ({ method: 'POST', body: JSON.stringify(body) })

describe('countries', () => {
  test('are found by either code, in either case', async () => {
    const norway = await json('countries', '/countries/NO')
    expect(norway).toMatchObject({
      name: 'Norway',
      capital: 'Oslo',
      borders: ['FIN', 'SWE', 'RUS'],
      currencies: ['NOK'],
    })
    expect(await json('countries', '/countries/nor')).toEqual(norway)
  })

  test('have borders that are countries themselves', async () => {
    const { items } = (await json('countries', '/countries')) as { items: { borders: string[]; code3: string }[] }
    const codes = new Set(items.map((country) => country.code3))
    expect(items.length).toBe(250)
    expect(items.flatMap((country) => country.borders).filter((code) => !codes.has(code))).toEqual([])
  })

  test('are listed by region', async () => {
    const { count, items } = (await json('countries', '/countries?region=europe')) as {
      count: number
      items: unknown[]
    }
    expect(count).toBe(items.length)
    expect(count).toBeGreaterThan(40)
    expect(await json('countries', '/countries?region=nowhere')).toEqual({ count: 0, items: [] })
  })
})

describe('capitals', () => {
  test('are found by country and by name', async () => {
    const oslo = await json('cities', '/capitals/NO')
    expect(oslo).toMatchObject({ name: 'Oslo', country: { code: 'NO', name: 'Norway' }, callingCodes: ['+47'] })
    expect(await json('cities', '/capitals?name=oslo')).toEqual({ count: 1, items: [oslo] })
    expect(await json('cities', '/capitals?name=Kingston')).toMatchObject({ count: 2 })
  })

  test('know the others of a country that has several', async () => {
    expect(await json('cities', '/capitals/ZA')).toMatchObject({ otherCapitals: ['Bloemfontein', 'Cape Town'] })
  })

  test('are not found where there is none', async () => {
    expect((await ask('cities', '/capitals/AQ')).status).toBe(404)
  })
})

describe('names', () => {
  test('of currencies come in the language asked for', async () => {
    expect(await json('currencies', '/currencies/NOK?lang=fr')).toMatchObject({
      name: 'couronne norvégienne',
      decimals: 2,
    })
    expect(await json('currencies', '/currencies/jpy')).toMatchObject({
      name: 'Japanese Yen',
      symbol: '¥',
      decimals: 0,
      lang: 'en',
    })
  })

  test('of languages come with what they call themselves', async () => {
    expect(await json('languages', '/languages/deu?lang=fr')).toMatchObject({ name: 'allemand', ownName: 'Deutsch' })
    expect(await json('languages', '/languages/smi')).toMatchObject({ name: 'Sami' })
  })

  test('of countries come many at once, null for an unknown code', async () => {
    expect(await json('languages', '/country-names', post({ codes: ['NO', 'SWE', 'QQ'], lang: 'es' }))).toEqual({
      lang: 'es',
      names: ['Noruega', 'Suecia', null],
    })
  })

  test('come in English for what is no language', async () => {
    expect(await json('currencies', '/currencies/NOK?lang=%00')).toMatchObject({ name: 'Norwegian Krone', lang: 'en' })
  })
})

describe('the clock', () => {
  test('tells the time in every zone of a country', async () => {
    const { utc, zones } = (await json('clock', '/now/US')) as Now
    expect(zones.length).toBeGreaterThan(20)
    for (const { local, offsetMinutes } of zones) {
      expect(Date.parse(`${local}Z`) - Date.parse(utc)).toBe(offsetMinutes * 60_000)
    }
  })

  test('knows zones that are not whole hours from UTC', async () => {
    expect(await json('clock', '/now/NPL')).toMatchObject({ zones: [{ zone: 'Asia/Katmandu', offsetMinutes: 345 }] })
    expect(await json('clock', '/now/IS')).toMatchObject({ zones: [{ offsetMinutes: 0 }] })
  })
})

interface Now {
  readonly utc: string
  readonly zones: readonly { readonly local: string; readonly offsetMinutes: number }[]
}

describe('every service', () => {
  const examples = Object.entries({
    countries: '/countries/NO',
    cities: '/capitals/NO',
    currencies: '/currencies/NOK',
    languages: '/languages/nob',
    clock: '/now/NO',
  })

  test.each(examples.filter(([name]) => name !== 'clock'))(
    'answers 304 when the ETag of %s still holds',
    async (name, path) => {
      const first = await ask(name, path)
      const etag = first.headers.get('etag') ?? ''
      expect(first.headers.get('cache-control')).toMatch(/^public, max-age=\d+/)
      const second = await ask(name, path, { headers: { 'if-none-match': etag } })
      expect([second.status, await second.text(), second.headers.get('etag')]).toEqual([304, '', etag])
    },
  )

  test.each(examples)('answers 404 with problem+json for a code that %s does not know', async (name, path) => {
    for (const unknown of ['QQQQ', '%00', '%zz', 'constructor', '__proto__', '-']) {
      const response = await ask(name, path.replace(/[^/]+$/, unknown))
      expect([unknown, response.status]).toEqual([unknown, 404])
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(await response.json()).toMatchObject({ status: 404, title: 'Not Found' })
    }
  })

  test.each(examples)('of %s refuses another method, answers HEAD, and is healthy', async (name, path) => {
    const refused = await ask(name, path, { method: 'DELETE' })
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET'])
    const head = await ask(name, path, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    expect(await json(name, '/healthz')).toEqual({ status: 'ok' })
    expect((await ask(name, '/nothing')).status).toBe(404)
  })
})
