import type { Route, StepsRoute } from './config/route.ts'
import type { Config } from './config/schema.ts'
import { longestChain } from './plan/graph.ts'
import type { Plan, Step } from './plan/plan.ts'

/** Describes what a route is, a line for each thing. */
export function describeRoute(route: Route): string {
  const lines = [
    `route     ${route.name}`,
    `match     ${route.match.method} ${route.match.path}`,
    `budget    ${ms(route.budget)}`,
  ]
  if (Number.isFinite(route.limits.body)) lines.push(`limits    body ${route.limits.body} bytes`)
  if (route.forward !== undefined) {
    lines.push(`forward   ${route.forward.upstream} ${route.forward.path ?? "(the request's own path)"}`)
  }
  if (route.steps !== undefined && route.transform !== undefined) {
    lines.push(`body      made by ${route.transform.name} in ${route.transform.file}`)
  }
  return lines.join('\n')
}

/** Describes the steps of a plan: what each needs, what runs at once, and the longest chain. */
export function describePlan({ steps }: Plan, route: StepsRoute): string {
  const depth = (step: Step): number => Math.max(0, ...step.needs.map((place) => 1 + depth(steps[place] as Step)))
  const width = Math.max(...steps.map((step) => step.name.length + 2 * depth(step)))
  const order = steps.map((step, place) => ({ step, place, depth: depth(step) })).sort((a, b) => a.depth - b.depth)
  const rows = order.map(({ step, depth: level }) => {
    const name = `${'  '.repeat(level)}${step.name}`.padEnd(width)
    const notes = notesOf(step, steps, route)
    const { call } = route.steps[step.name] as StepsRoute['steps'][string]
    return `  ${name}  ${call.method} ${call.upstream} ${call.path}${notes}`
  })
  const atOnce = order.filter(({ depth: level }) => level === 0).map(({ step }) => step.name)
  const chain = longestChain(steps.map((step) => ({ needs: step.needs, cost: step.timeoutMs })))
  const way = chain.way.map((place) => steps[place]?.name).join(' → ')
  return [
    'steps',
    ...rows,
    `at once   ${atOnce.join(', ')}`,
    `longest   ${way}: ${ms(chain.cost)} at the worst${chain.cost > route.budget ? `, cut at ${ms(route.budget)}` : ''}`,
  ].join('\n')
}

/** Describes how calls to each upstream of a route are protected, a line for each. */
export function describeUpstreams({ upstreams }: Config, names: readonly string[]): string {
  const known = [...new Set(names)].flatMap((name) => {
    const options = upstreams[name]
    return options === undefined ? [] : [{ name, options }]
  })
  const width = Math.max(...known.map(({ name }) => name.length))
  return ['upstreams', ...known.map(({ name, options }) => `  ${name.padEnd(width)}  ${protection(options)}`)].join(
    '\n',
  )
}

function protection({ endpoints, limit, retry, hedge, breaker }: Config['upstreams'][string]): string {
  const at = endpoints.length === 1 ? '1 endpoint' : `${endpoints.length} endpoints`
  return [
    at,
    `${limit.max} at once${limit.adaptive ? ' (adaptive)' : ''}`,
    retry.more === 0 ? 'no retry' : `retry ${retry.more} (${percent(retry.budget)})`,
    ...(hedge === null ? [] : [`hedge after ${typeof hedge.after === 'number' ? ms(hedge.after) : hedge.after}`]),
    breaker === null ? 'no breaker' : `breaker ${percent(breaker.failures)} of ${breaker.of}`,
  ].join('; ')
}

function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10} %`
}

function notesOf(step: Step, steps: readonly Step[], route: StepsRoute): string {
  const { when, unless } = route.steps[step.name] as StepsRoute['steps'][string]
  const notes = [
    ms(step.timeoutMs),
    step.optional ? 'optional' : 'required',
    ...(step.needs.length > 0 ? [`after ${step.needs.map((place) => steps[place]?.name).join(', ')}`] : []),
    ...(step.each ? [`for each of {${step.each.text}}, ${step.each.limit} at once, at most ${step.each.max}`] : []),
    ...(when === undefined ? [] : [`when ${JSON.stringify(when)}`]),
    ...(unless === undefined ? [] : [`unless ${JSON.stringify(unless)}`]),
    ...(step.fallback === null ? [] : [`else ${step.fallback}`]),
  ]
  return `  (${notes.join('; ')})`
}

function ms(duration: number): string {
  return duration >= 1_000 && duration % 100 === 0 ? `${duration / 1_000} s` : `${duration} ms`
}
