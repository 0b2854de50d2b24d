import { once } from 'node:events'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startDriver } from '../../loadtest/drive/driver.ts'
import { histogram, merge, quantile, record } from '../../loadtest/drive/histogram.ts'
import type { Ask, Second } from '../../loadtest/drive/play.ts'
import { arrivals } from '../../loadtest/drive/schedule.ts'

describe('the schedule', () => {
  test('is even at an even rate, from the very beginning', () => {
    expect([...arrivals([{ seconds: 1, from: 4, to: 4 }])]).toEqual([0, 250, 500, 750])
  })

  test('a growing rate brings what lies under its line, later ones closer together', () => {
    const due = [...arrivals([{ seconds: 10, from: 0, to: 20 }])]
    expect(due.length).toBe(100)
    expect(due.filter((ms) => ms < 5000).length).toBe(25)
    expect(due).toEqual(due.toSorted((a, b) => a - b))
  })

  test('phases follow each other, and fractions of a request are not lost', () => {
    const phase = { seconds: 0.5, from: 5, to: 5 } // two and a half requests
    const due = [...arrivals([phase, phase, { seconds: 1, from: 2, to: 0 }])]
    expect(due).toEqual([0, 200, 400, 600, 800, 1000])
  })

  test('a rate of nothing is a pause', () => {
    const due = [...arrivals([{ seconds: 3, from: 0, to: 0 }, { seconds: 1, from: 1, to: 1 }])] // prettier-ignore
    expect(due).toEqual([3000])
  })
})

describe('the histogram', () => {
  test('tells quantiles within one part of a hundred', () => {
    const all = histogram()
    for (let ms = 1; ms <= 1000; ms++) record(all, ms)
    expect(quantile(all, 0.5) / 500).toBeCloseTo(1, 1)
    expect(Math.abs(quantile(all, 0.99) / 990 - 1)).toBeLessThan(0.011)
    expect(quantile(histogram(), 0.5)).toBeNaN()
  })

  test('holds what is too small and too large in its first and last bucket', () => {
    const all = histogram()
    record(all, 0)
    record(all, 1e9)
    expect(all.at(0)).toBe(1)
    expect(all.at(-1)).toBe(1)
  })

  test('histograms add up', () => {
    const [one, other] = [histogram(), histogram()]
    record(one, 1)
    record(other, 100)
    expect(quantile(merge([one, other]), 1)).toBe(quantile(other, 1))
  })
})

describe('the driver', () => {
  let server: Server
  let url: string
  const seen: string[] = []

  beforeAll(async () => {
    server = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`)
      if (request.url === '/broken') request.socket.destroy()
      if (request.url === '/partial') response.setHeader('oneloop-missing', 'weather')
      if (request.url === '/busy') response.statusCode = 503
      if (request.url !== '/never') request.resume().on('end', () => response.end('{}'))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => server.close().closeAllConnections())

  async function play(mix: Ask[], timeoutMs = 15_000): Promise<Second> {
    await using driver = await startDriver()
    const phases = [{ seconds: 0.5, from: 40, to: 40 }]
    const seconds = await driver.ask({ url, mix, phases, timeoutMs, connections: 4, seed: 1 })
    return seconds[0]!
  }
  const get = (path: string, weight = 1): Ask => ({ method: 'GET', path, weight })

  test('counts what became of each request', async () => {
    expect(await play([get('/busy')])).toMatchObject({ offered: 20, good: 0, failed: { 503: 20 }, dropped: 0 })
    expect(await play([get('/broken')])).toMatchObject({ offered: 20, good: 0, failed: { UND_ERR_SOCKET: 20 } })
    expect(await play([get('/never')], 100)).toMatchObject({ offered: 20, good: 0, failed: { timeout: 20 } })
    expect(quantile((await play([get('/busy')])).latencies, 1)).toBeGreaterThan(0)
  })

  test('mixes requests by their weights, bodies and all, and sees that parts are missing', async () => {
    const post: Ask = { method: 'POST', path: '/partial', body: '{}', weight: 1 }
    const second = await play([get('/fine', 3), post])
    expect(second.good).toBe(20)
    const posted = seen.filter((line) => line === 'POST /partial').length
    expect(seen.filter((line) => line === 'GET /fine').length + posted).toBe(20)
    expect(second.partial).toBe(posted)
    expect(posted).toBeGreaterThan(0)
  })
})
