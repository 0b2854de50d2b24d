import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { mishap, readFaults, type Faults } from '../../loadtest/upstreams/faults.ts'
import { countries } from '../../loadtest/upstreams/countries.ts'
import { seeded } from '../../loadtest/upstreams/latency.ts'
import { serve, type Service } from '../../loadtest/upstreams/service.ts'

let service: Service

beforeAll(async () => {
  service = await serve(countries, { port: 0, seed: 1 })
})
afterAll(() => service.close())
beforeEach(() => knobs('DELETE'))

const ask = (init?: RequestInit) => fetch(`${service.url}/countries/NO`, init)

async function knobs(method: string, faults?: unknown): Promise<{ status: number; body: unknown }> {
  const body = faults === undefined ? null : JSON.stringify(faults)
  const response = await fetch(`${service.url}/__faults`, { method, body })
  return { status: response.status, body: await response.json() }
}

describe('/__faults', () => {
  test('adds with POST, shows with GET and clears with DELETE', async () => {
    expect(await knobs('POST', { latencyMs: 1 })).toEqual({ status: 200, body: { latencyMs: 1 } })
    await knobs('POST', { status: 500, errorRate: 0.5 })
    expect(await knobs('GET')).toEqual({ status: 200, body: { latencyMs: 1, status: 500, errorRate: 0.5 } })
    expect(await knobs('DELETE')).toEqual({ status: 200, body: {} })
    expect((await ask()).status).toBe(200)
  })

  test.each<[unknown, RegExp]>([
    [{ latency: 5 }, /unknown fault "latency", known are latencyMs/],
    [{ errorRate: 2 }, /errorRate is a number from 0 to 1/],
    [{ status: 99 }, /status is a status from 200 to 599/],
    [{ hang: 'yes' }, /hang is true or false/],
    [[], /faults are a JSON object/],
  ])('refuses %j and changes nothing', async (faults, detail) => {
    const { status, body } = await knobs('POST', faults)
    expect([status, body]).toEqual([400, expect.objectContaining({ detail: expect.stringMatching(detail) })])
    expect(await knobs('GET')).toEqual({ status: 200, body: {} })
  })
})

describe('a service', () => {
  test('answers with the status it is told', async () => {
    await knobs('POST', { status: 429 })
    const response = await ask()
    expect([response.status, response.headers.get('content-type')]).toEqual([429, 'application/problem+json'])
  })

  test('resets the connection', async () => {
    await knobs('POST', { reset: true })
    await expect(ask()).rejects.toThrow(
      expect.objectContaining({ cause: expect.objectContaining({ code: 'ECONNRESET' }) }),
    )
  })

  test('cuts the body in the middle', async () => {
    await knobs('POST', { truncate: true })
    const response = await ask()
    expect(response.status).toBe(200)
    await expect(response.text()).rejects.toThrow('terminated')
  })

  test('never answers when it hangs', async () => {
    await knobs('POST', { hang: true })
    await expect(ask({ signal: AbortSignal.timeout(300) })).rejects.toThrow(/timeout/)
  })

  test('takes longer by latencyMs', async () => {
    await knobs('POST', { latencyMs: 250 })
    const start = performance.now()
    await ask()
    expect(performance.now() - start).toBeGreaterThan(249)
  })

  test('closes its port for downMs, and opens it again', async () => {
    await knobs('POST', { downMs: 300 })
    await expect
      .poll(() =>
        ask().then(
          () => 'up',
          (error: Error) => causeOf(error),
        ),
      )
      .toBe('ECONNREFUSED')
    await expect
      .poll(
        () =>
          ask().then(
            (response) => response.status,
            () => 0,
          ),
        { timeout: 5000 },
      )
      .toBe(200)
  })

  test('can start with faults', async () => {
    const broken = await serve(countries, { port: 0, seed: 1, faults: { status: 500 } })
    expect((await fetch(`${broken.url}/countries/NO`)).status).toBe(500)
    await broken.close()
  })
})

test('errorRate is the share of requests that go wrong', () => {
  const random = seeded(11)
  const wrong = (faults: Faults) => Array.from({ length: 10_000 }, () => mishap(faults, random)).filter(Boolean).length
  expect(wrong({})).toBe(0)
  expect(wrong({ latencyMs: 5 })).toBe(0)
  expect(wrong({ reset: true })).toBe(10_000)
  expect(wrong({ errorRate: 0 })).toBe(0)
  expect(Math.abs(wrong({ errorRate: 0.2 }) - 2000)).toBeLessThan(150)
  expect(Math.abs(wrong({ errorRate: 0.2, hang: true }) - 2000)).toBeLessThan(150)
  expect(mishap({ errorRate: 1 }, random)).toEqual({ status: 503 })
})

test('faults are read as they are', () => {
  expect(readFaults({ latencyMs: 3, truncate: false })).toEqual({ latencyMs: 3, truncate: false })
})

function causeOf(error: Error): unknown {
  return (error.cause as NodeJS.ErrnoException | undefined)?.code
}
