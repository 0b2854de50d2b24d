import { fileURLToPath } from 'node:url'
import { has, output, start } from './child.ts'

/** What a client saw in one timed run. */
export interface Run {
  readonly requests: number
  readonly seconds: number
  readonly p99Ms: number
  /** Why the run does not count: answers other than 2xx, broken or refused connections. */
  readonly fault: string | undefined
}

/** A program that sends requests as fast as they are answered, on a fixed number of connections. */
export interface Load {
  readonly what: string
  run(url: string, connections: number, seconds: number): Promise<Run>
}

/** wrk where it is installed, else autocannon. */
export function findLoad(): Load {
  return has('wrk') ? { what: 'wrk, one thread', run: wrk } : { what: 'autocannon (no wrk here)', run: autocannon }
}

async function wrk(url: string, connections: number, seconds: number): Promise<Run> {
  const command = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '--latency', url]
  return readWrk(await output(start('others', command, { stdio: ['ignore', 'pipe', 'inherit'] })))
}

/** Reads what wrk prints. */
export function readWrk(text: string): Run {
  const [, requests, length] = /(\d+) requests in ([\d.]+\w+),/.exec(text) ?? []
  const p99 = /99%\s+([\d.]+\w+)/.exec(text)?.[1]
  const faults = text.split('\n').filter((line) => /Non-2xx|Socket errors/.test(line))
  return {
    requests: Number(requests),
    seconds: milliseconds(length) / 1000,
    p99Ms: milliseconds(p99),
    fault: Number(requests) > 0 ? faults.map((line) => line.trim()).join('; ') || undefined : 'no answer at all',
  }
}

function milliseconds(text = ''): number {
  const factors: Record<string, number> = { us: 0.001, ms: 1, s: 1000, m: 60_000 }
  const [, value, unit = ''] = /^([\d.]+)(\w+)$/.exec(text) ?? []
  return Number(value) * (factors[unit] ?? NaN)
}

async function autocannon(url: string, connections: number, seconds: number): Promise<Run> {
  const file = fileURLToPath(import.meta.resolve('autocannon'))
  const command = [
    process.execPath,
    file,
    '-c',
    String(connections),
    '-d',
    String(seconds),
    '--json',
    '--no-progress',
    url,
  ]
  return readAutocannon(await output(start('others', command, { stdio: ['ignore', 'pipe', 'ignore'] })))
}

/** Reads what autocannon prints with `--json`. */
export function readAutocannon(text: string): Run {
  const { requests, duration, latency, non2xx, errors, timeouts } = JSON.parse(text) as Cannon
  const bad = non2xx + errors + timeouts > 0 || requests.total === 0
  return {
    requests: requests.total,
    seconds: duration,
    p99Ms: latency.p99,
    fault: bad
      ? `${requests.total} answers, ${non2xx} of them other than 2xx, ${errors} errors, ${timeouts} timeouts`
      : undefined,
  }
}

interface Cannon {
  readonly requests: { readonly total: number }
  readonly latency: { readonly p99: number }
  readonly duration: number
  readonly non2xx: number
  readonly errors: number
  readonly timeouts: number
}
