import type { Result } from '../play/result.ts'
import { compare, signed } from './compare.ts'
import { kneeOf, sentence } from './knee.ts'
import { figure, percent } from './text.ts'

/** Says in Markdown what a run came to. */
export function markdown(result: Result, before: Result | undefined): string {
  const knee = kneeOf(result.steps)
  const then = before === undefined ? 'before' : before.commit
  const figures = compare(result, before).map(({ name, now, before: old, change }) => [
    name,
    now,
    old ?? '',
    signed(change),
  ])
  const verdicts = result.verdicts.map(({ metric, condition, value, met }) => [
    `\`${metric}\``,
    `\`${condition}\``,
    figure(value),
    met ? 'met' : '**not met**',
  ])
  const steps = result.steps.map((step) => [
    figure(step.offered),
    figure(step.good),
    percent(step.utilisation),
    figure(step.p50Ms),
    figure(step.p99Ms),
  ])
  const parts = [
    `# ${result.scenario}: ${result.verdicts.every(({ met }) => met) ? 'passed' : 'failed'}`,
    `${result.about}. ${result.date}, commit ${result.commit}${result.changed ? ' with changes' : ''}. ${result.setting}.`,
    ...(knee === undefined ? [] : [`**${sentence(knee, result.asks, result.loops)}**`]),
    table(['', 'now', then, 'change'], figures),
    table(['threshold', 'condition', 'measured', ''], verdicts),
    ...(steps.length === 0 ? [] : [table(['offered', 'answered well', 'utilisation', 'p50 ms', 'p99 ms'], steps)]),
  ]
  return `${parts.join('\n\n')}\n`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
