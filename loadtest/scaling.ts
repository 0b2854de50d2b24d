import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parse } from 'yaml'
import { days } from './scaling/days.ts'
import type { HpaOptions, Policy } from './scaling/hpa.ts'
import { type Pod, play } from './scaling/play.ts'

// Plays days against Kubernetes' own way of scaling, by CPU and by the utilisation of the loop, with several targets, and
// prints a table: docs/scaling.md has it. Nothing is measured, so it is the same on every machine.
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    // What `npm run loadtest -- ramp` finds for a route: at this rate its loop is full.
    capacity: { type: 'string', default: '3000' },
    targets: { type: 'string', default: '50,60,70,80' },
  },
})

const pod: Pod = { capacity: Number(values.capacity), beside: 0.12, startS: 30 }

interface Written {
  readonly type: Policy['type']
  readonly value: number
  readonly periodSeconds: number
}
const file = join(import.meta.dirname, '../deploy/kubernetes/components/hpa/horizontalpodautoscaler.yaml')
const { spec } = parse(readFileSync(file, 'utf8')) as {
  spec: {
    minReplicas: number
    maxReplicas: number
    behavior: {
      scaleUp: { policies: Written[] }
      scaleDown: { stabilizationWindowSeconds: number; policies: Written[] }
    }
  }
}
const { scaleUp, scaleDown } = spec.behavior
const policies = (written: readonly Written[]): Policy[] =>
  written.map(({ type, value, periodSeconds }) => ({ type, value, periodS: periodSeconds }))
const shared: Omit<HpaOptions, 'target'> = {
  min: spec.minReplicas,
  max: spec.maxReplicas,
  downWindowS: scaleDown.stabilizationWindowSeconds,
  up: policies(scaleUp.policies),
  down: policies(scaleDown.policies),
}

console.log('| day | scaled by | target | lost | wait p99 | pod hours | most pods |')
console.log('| --- | --- | --- | --- | --- | --- | --- |')
for (const day of days) {
  for (const signal of ['cpu', 'loop'] as const) {
    for (const target of values.targets.split(',').map(Number)) {
      const { lost, requests, waitMs, podHours, mostPods } = play(
        day,
        signal,
        pod,
        { ...shared, target: target / 100 },
        Number(values.seed),
      )
      const share = lost === 0 ? '0' : `${((lost / requests) * 100).toFixed(3)} %`
      console.log(
        `| ${day.name} | ${signal} | ${target} % | ${share} | ${waitMs.toFixed(1)} ms | ${podHours.toFixed(0)} | ${mostPods} |`,
      )
    }
  }
}
