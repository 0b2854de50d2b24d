import type { Kept, KeptAttempt, KeptStep } from '../../../telemetry/record.ts'
import type { Moment } from '../moment.ts'
import { element } from './element.ts'
import { clock, ms, percent } from './format.ts'

const parts = ['queued', 'connecting', 'waiting', 'receiving', 'loopwait'] as const
type Part = (typeof parts)[number]
const words: Readonly<Record<Part, string>> = {
  queued: 'queued',
  connecting: 'connecting',
  waiting: 'waiting',
  receiving: 'receiving',
  loopwait: 'loop wait, at most',
}

/** Shows one request: what it came to, and when each of its steps ran, with the loop's utilization behind the bars. */
export function showWaterfall(into: HTMLElement, kept: Kept | undefined, history: readonly Moment[]): void {
  if (kept === undefined) return into.replaceChildren(element('div', { class: 'empty' }, 'No request was kept yet.'))
  into.replaceChildren(about(kept), bars(kept, history), keyOf())
}

function about(kept: Kept): HTMLElement {
  const facts: [string, string][] = [
    ['status', `${kept.status} ${kept.result}`],
    ['kept', `${kept.why}, ${clock(kept.beganAt)}`],
    ['took', ms(kept.durationMs)],
    ['own time on the loop', ms(kept.busyMs)],
    ['loop wait, at most', ms(kept.loopWaitMs)],
    ['loop utilization', percent(kept.utilisation)],
  ]
  return element(
    'div',
    { class: 'about' },
    element('code', {}, `${kept.method} ${kept.path}`),
    ...facts.map(([name, value]) => element('span', {}, `${name} `, element('b', {}, value))),
    element('span', {}, 'trace ', element('code', {}, kept.traceId)),
  )
}

function bars(kept: Kept, history: readonly Moment[]): HTMLElement {
  const whole = Math.max(kept.durationMs, 0.001)
  const busy = utilizationDuring(kept, history)
  const rows = kept.steps.flatMap((step) => {
    const own = kept.attempts.filter(({ step: name }) => name === step.name)
    const track = own.length === 0 ? [stepBar(step, whole)] : own.flatMap((attempt) => attemptBars(attempt, whole))
    return row(labelOf(step), step.critical, [...busy(), ...track], ms(step.endedMs - step.beganMs))
  })
  const streamed = kept.attempts.filter(({ step }) => step === '')
  const forwards = streamed.flatMap((attempt) =>
    row(attempt.upstream, true, [...busy(), ...attemptBars(attempt, whole)], ms(attempt.endedMs - attempt.beganMs)),
  )
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((at) => element('span', {}, ms(at * whole)))
  return element('div', { class: 'bars' }, ...rows, ...forwards, element('div', { class: 'axis' }, ...ticks))
}

function labelOf(step: KeptStep): string {
  const notes = [
    ...(step.items === undefined ? [] : [`× ${step.items}`]),
    ...(step.cache === undefined ? [] : [step.cache]),
    ...(step.skipped === true ? ['skipped'] : []),
    ...(step.error === undefined ? [] : [step.error]),
  ]
  return [step.name, ...notes].join(' · ')
}

function row(name: string, critical: boolean, track: readonly HTMLElement[], took: string): HTMLElement[] {
  const title = critical ? 'the answer waited for it' : 'the answer did not wait for it'
  return [
    element('div', { class: critical ? 'what critical' : 'what', title: `${name}: ${title}` }, name),
    element('div', { class: 'track' }, ...track),
    element('div', { class: 'took' }, took),
  ]
}

function bar(kind: string, fromMs: number, toMs: number, whole: number, title: string): HTMLElement {
  const left = (Math.max(0, fromMs) / whole) * 100
  const width = (Math.max(0, Math.min(toMs, whole) - Math.max(0, fromMs)) / whole) * 100
  return element('span', { class: kind, style: `left:${left}%;width:${width}%`, title })
}

function stepBar(step: KeptStep, whole: number): HTMLElement {
  return bar('step', step.beganMs, step.endedMs, whole, `${step.name} ${ms(step.endedMs - step.beganMs)}`)
}

function attemptBars(attempt: KeptAttempt, whole: number): HTMLElement[] {
  const { beganMs, queuedMs, connectMs, sentMs, headMs, endedMs, loopWaitMs } = attempt
  // Of one that failed, what it did not come to is not a number: the part it was in lasts to its end.
  const or = (at: number, other: number): number => (Number.isFinite(at) && at > 0 ? at : other)
  const moments = [beganMs, or(queuedMs, endedMs), or(connectMs, endedMs), or(headMs, endedMs), endedMs]
  const what = `${attempt.method} ${attempt.endpoint}${attempt.path} ${attempt.status ?? attempt.error ?? ''}`
  const kinds: Part[] = ['queued', 'connecting', 'waiting', 'receiving']
  const shown = kinds.flatMap((kind, i) => {
    const [from, to] = [moments[i] ?? 0, moments[i + 1] ?? 0]
    return to - from > 0 ? [bar(kind, from, to, whole, `${words[kind]} ${ms(to - from)}: ${what}`)] : []
  })
  if (loopWaitMs > 0) {
    const from = Math.max(or(sentMs, beganMs), or(headMs, endedMs) - loopWaitMs)
    shown.push(bar('loopwait', from, or(headMs, endedMs), whole, `${words.loopwait} ${ms(loopWaitMs)}: ${what}`))
  }
  return shown
}

/** The loop's utilization over the time of a request: by seconds where the page saw them, else the request's own. */
function utilizationDuring(kept: Kept, history: readonly Moment[]): () => HTMLElement[] {
  const whole = Math.max(kept.durationMs, 0.001)
  const seen = history.filter(({ at }) => at > kept.beganAt && at - 1_000 < kept.beganAt + kept.durationMs)
  return () => {
    if (seen.length < 2) return [busyBar(0, 100, kept.utilisation)]
    return seen.map(({ at, utilization }) => {
      const left = Math.max(0, ((at - 1_000 - kept.beganAt) / whole) * 100)
      const right = Math.min(100, ((at - kept.beganAt) / whole) * 100)
      return busyBar(left, right - left, utilization)
    })
  }
}

function busyBar(left: number, width: number, share: number): HTMLElement {
  return element('div', { class: 'busy', style: `left:${left}%;right:auto;width:${width}%;height:${share * 100}%` })
}

function keyOf(): HTMLElement {
  const shown = parts.map((part) => element('span', {}, element('i', { class: part }), words[part]))
  const busy = element('i', { style: 'background:var(--accent);opacity:.3' })
  return element('div', { class: 'legend' }, ...shown, element('span', {}, busy, 'loop utilization, behind the bars'))
}
