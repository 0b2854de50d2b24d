import type { Metric, Thresholds } from './scenario.ts'

/** A condition, what the metric was, and whether that meets it. */
export interface Verdict {
  readonly metric: Metric
  readonly condition: string
  readonly value: number
  readonly met: boolean
}

/** What a metric came to: each aggregate that k6's thresholds know of its kind. */
export interface Measured {
  aggregate(name: string): number | undefined
}

const form = /^(avg|min|max|med|count|rate|p\((\d+(?:\.\d+)?)\))\s*(<=|>=|==|<|>)\s*(\d+(?:\.\d+)?)$/

const meets: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  '<': (value, bound) => value < bound,
  '>': (value, bound) => value > bound,
  '<=': (value, bound) => value <= bound,
  '>=': (value, bound) => value >= bound,
  '==': (value, bound) => value === bound,
}

/** Holds what was measured against the thresholds; throws on one that is no condition, or not of that metric's kind. */
export function judge(thresholds: Thresholds, measured: Readonly<Record<Metric, Measured>>): Verdict[] {
  return (Object.entries(thresholds) as [Metric, readonly string[]][]).flatMap(([metric, conditions]) =>
    conditions.map((condition) => {
      const [, name = '', , sign = '', bound] = form.exec(condition) ?? []
      const value = measured[metric].aggregate(name)
      if (value === undefined) throw new Error(`${metric} has no condition like "${condition}"`)
      return { metric, condition, value, met: meets[sign]!(value, Number(bound)) }
    }),
  )
}
