import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { days } from '../../loadtest/scaling/days.ts'
import { Hpa, type HpaOptions } from '../../loadtest/scaling/hpa.ts'
import { play } from '../../loadtest/scaling/play.ts'

const root = resolve(import.meta.dirname, '../..')
const free = [{ type: 'Percent', value: 1_000, periodS: 15 }] as const
const options: HpaOptions = {
  target: 0.5,
  min: 1,
  max: 100,
  downWindowS: 0,
  up: free,
  down: [{ type: 'Percent', value: 100, periodS: 15 }],
}

describe('the autoscaler decides as that of Kubernetes does', () => {
  test.each([
    ['as many as bring the average to the target, rounded up', [0.9, 0.9], 2, 4],
    ['nothing within a tenth of it', [0.54, 0.54], 2, 2],
    ['fewer when less is enough', [0.2, 0.2, 0.2, 0.2], 4, 2],
    ['nothing without a metric', [], 3, 3],
    ['those that start taken to carry nothing: what is on its way is not asked for again', [1, 1], 4, 4],
    ['more than are on their way when those are too few', [1, 1, 1], 4, 6],
  ])('%s', (_what, ready, pods, wanted) => {
    expect(new Hpa(options).decide(0, ready, pods)).toBe(wanted)
  })

  test('no fewer and no more than it may', () => {
    const hpa = new Hpa({ ...options, min: 3, max: 5 })
    expect(hpa.decide(0, [0.01, 0.01, 0.01, 0.01], 4)).toBe(3)
    expect(hpa.decide(15, [1, 1, 1], 3)).toBe(5)
  })

  test('the most generous policy bounds how many are added within its time', () => {
    const up = [
      { type: 'Percent', value: 100, periodS: 60 },
      { type: 'Pods', value: 4, periodS: 60 },
    ] as const
    const hpa = new Hpa({ ...options, up })
    expect(hpa.decide(0, [10, 10], 2)).toBe(6)
    // What was added within the last minute counts.
    expect(hpa.decide(15, [10, 10, 10, 10, 10, 10], 6)).toBe(6)
    expect(hpa.decide(75, [10, 10, 10, 10, 10, 10], 6)).toBe(12)
  })

  test('fewer only when that was so for the whole window, and by no more than the policy lets go', () => {
    const hpa = new Hpa({ ...options, downWindowS: 30, down: [{ type: 'Pods', value: 1, periodS: 60 }] })
    const four = (value: number): number[] => [value, value, value, value]
    expect(hpa.decide(0, four(0.5), 4)).toBe(4)
    expect(hpa.decide(15, four(0.1), 4)).toBe(4)
    expect(hpa.decide(30, four(0.1), 4)).toBe(4)
    expect(hpa.decide(45, four(0.1), 4)).toBe(3)
    expect(hpa.decide(60, [0.1, 0.1, 0.1], 3)).toBe(3)
  })
})

const written = parse(
  readFileSync(join(root, 'deploy/kubernetes/components/hpa/horizontalpodautoscaler.yaml'), 'utf8'),
) as { spec: { minReplicas: number; maxReplicas: number; metrics: [{ pods: { target: { averageValue: string } } }] } }
const document = readFileSync(join(root, 'docs/scaling.md'), 'utf8')
const rows = [...document.matchAll(/^\| (.*) \|$/gm)].map(([, row = '']) => row.split('|').map((cell) => cell.trim()))

/** What the document tells of a day. */
const told = (day: string, signal: string, target: string) =>
  rows.find((row) => row[0] === day && row[1] === signal && row[2] === target)

test('the target that is set has a row for each day, and loses nothing but in a spike', () => {
  const { averageValue } = written.spec.metrics[0].pods.target
  const target = `${Number(averageValue.replace('m', '')) / 10} %`
  expect(days.map(({ name }) => [name, told(name, 'loop', target)?.[3]])).toEqual([
    ['daily curve', '0'],
    ['spike', expect.stringMatching(/^0\.0\d+ %$/)],
    ['slow upstream', '0'],
    ['crowded nodes', '0'],
  ])
})

test('what the document tells of crowded nodes is what comes out', () => {
  const day = days.find(({ name }) => name === 'crowded nodes') as (typeof days)[number]
  const { minReplicas: min, maxReplicas: max } = written.spec
  const up = [
    { type: 'Percent', value: 100, periodS: 15 },
    { type: 'Pods', value: 4, periodS: 15 },
  ] as const
  const as = { min, max, downWindowS: 300, up, down: [{ type: 'Percent', value: 10, periodS: 60 }] as const }
  const pod = { capacity: 3_000, beside: 0.12, startS: 30 }
  for (const [signal, target] of [
    ['cpu', 0.8],
    ['loop', 0.6],
  ] as const) {
    const { lost, requests, podHours } = play(day, signal, pod, { ...as, target }, 1)
    const share = lost === 0 ? '0' : `${((lost / requests) * 100).toFixed(3)} %`
    const row = told('crowded nodes', signal, `${target * 100} %`)
    expect([row?.[3], row?.[5]]).toEqual([share, podHours.toFixed(0)])
  }
})
