import type { Result } from '../play/result.ts'
import { kneeOf, sentence } from './knee.ts'
import { failedShare } from './compare.ts'
import { figure, percent } from './text.ts'

/** The lines for the terminal, in the order of k6's own summary, with the loop beside the latencies. */
export function summary(result: Result): string {
  const { totals, verdicts } = result
  const knee = kneeOf(result.steps)
  const failed = Object.entries(totals.failed).map(([what, count]) => `${what}: ${count}`)
  const lines: [string, string][] = [
    ['http_reqs', `${figure(totals.offered)}  ${figure(totals.perSecond)}/s answered`],
    ['http_req_failed', `${percent(failedShare(totals))}  ${failed.join(', ')}`],
    [
      'http_req_duration',
      `med=${figure(totals.p50Ms)}ms p(90)=${figure(totals.p90Ms)}ms p(99)=${figure(totals.p99Ms)}ms p(99.9)=${figure(totals.p999Ms)}ms max=${figure(totals.maxMs)}ms`,
    ],
    ['loop_utilisation', `avg=${percent(totals.utilisation)} max=${percent(totals.utilisationMax)}`],
    ['loop_delay', `med of p(99)=${figure(totals.delayMs)}ms max=${figure(totals.delayMaxMs)}ms`],
    ['shed', figure(totals.shed)],
    ['missing', `${figure(totals.missing)} parts in ${figure(totals.partial)} answers`],
    ['upstream_calls', figure(totals.calls)],
    ['driver', `sent at most ${figure(totals.lateMs)} ms late`],
  ]
  const told = lines.map(([name, text]) => `  ${`${name} `.padEnd(20, '.')} ${text.trimEnd()}`)
  const judged = verdicts.map(
    ({ metric, condition, value, met }) => `  ${met ? '✓' : '✗'} ${metric} ${condition} (${figure(value)})`,
  )
  return [...told, ...judged, ...(knee === undefined ? [] : [sentence(knee, result.asks, result.loops)])].join('\n')
}
