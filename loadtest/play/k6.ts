import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { has, scratch, start } from '../bench/child.ts'
import { record } from '../drive/histogram.ts'
import { type Second, emptySecond } from '../drive/play.ts'
import type { Player } from './perform.ts'

/** Where k6 is; undefined where it is not on PATH. */
export function findK6(): string | undefined {
  return has('k6') ? 'k6' : undefined
}

/** What the script is told, in its variable PLAY. */
export interface Told {
  readonly url: string
  readonly opsUrl: string
  readonly mix: Parameters<Player>[0]['scenario']['mix']
  readonly phases: Parameters<Player>[0]['phases']
  readonly thresholds: Parameters<Player>[0]['scenario']['thresholds']
}

/** k6 ends so when a threshold is not met, which is for us to tell. */
const thresholdsFailed = 99

/** Plays with k6: its own summary goes to the terminal, its points are read afterwards. */
export const playWithK6: Player = async ({ scenario, phases }, { url, opsUrl }) => {
  const file = join(scratch(), 'points.json')
  const script = join(import.meta.dirname, '../k6/run.ts')
  const told: Told = { url, opsUrl, mix: scenario.mix, phases, thresholds: scenario.thresholds }
  const child = start('others', ['k6', 'run', '--quiet', '--no-usage-report', '--out', `json=${file}`, script], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PLAY: JSON.stringify(told) },
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0 && code !== thresholdsFailed) throw new Error(`k6 ended with ${code}`)
  const seconds = await readPoints(createInterface(createReadStream(file)))
  return code === 0 ? { seconds } : { seconds, fault: 'k6 says that a threshold is not met' }
}

/** A line of what k6 writes with `--out json`, as far as it is read here. */
interface Line {
  readonly type: string
  readonly metric: string
  readonly data: { readonly time: string; readonly value: number; readonly tags?: Readonly<Record<string, string>> }
}

/** Sums k6's points up by the second in which an answer came; the requests that only watch do not count. */
export async function readPoints(lines: AsyncIterable<string> | Iterable<string>): Promise<Second[]> {
  const seconds: Second[] = []
  let began: number | undefined
  for await (const text of lines) {
    const { type, metric, data } = JSON.parse(text) as Line
    if (type !== 'Point' || data.tags?.['scenario'] === 'watch') continue
    if (!['http_req_duration', 'dropped_iterations', 'partial'].includes(metric)) continue
    began ??= Date.parse(data.time)
    const at = Math.max(0, Math.floor((Date.parse(data.time) - began) / 1000))
    while (seconds.length <= at) seconds.push(emptySecond())
    take(seconds[at]!, metric, data)
  }
  return seconds
}

function take(second: Second, metric: string, { value, tags = {} }: Line['data']): void {
  if (metric === 'partial') return void (second.partial += value)
  second.offered += metric === 'dropped_iterations' ? value : 1
  if (metric === 'dropped_iterations') return void (second.dropped += value)
  const status = Number(tags['status'] ?? 0)
  if (status === 0) {
    const what = tags['error_code'] ?? 'error'
    return void (second.failed[what] = (second.failed[what] ?? 0) + 1)
  }
  second.answered++
  record(second.latencies, value)
  if (status >= 200 && status < 300) {
    second.good++
    if (value <= 1000) second.prompt++
  } else second.failed[status] = (second.failed[status] ?? 0) + 1
}
