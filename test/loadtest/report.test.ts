import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Result, Step } from '../../loadtest/play/result.ts'
import { draw } from '../../loadtest/report/chart.ts'
import { compare } from '../../loadtest/report/compare.ts'
import { kneeOf, rateAt, sentence } from '../../loadtest/report/knee.ts'
import { markdown } from '../../loadtest/report/markdown.ts'
import { page } from '../../loadtest/report/page.ts'
import { along, linear, logarithmic } from '../../loadtest/report/scale.ts'
import { summary } from '../../loadtest/report/summary.ts'
import { figure, percent, safe } from '../../loadtest/report/text.ts'

/** A ramp as it was once recorded, a fifth of its seconds. */
const ramp = JSON.parse(readFileSync(join(import.meta.dirname, 'ramp.json'), 'utf8')) as Result

const step = (offered: number, utilisation: number, p99Ms: number, good = offered): Step => ({
  offered,
  good,
  p50Ms: p99Ms / 3,
  p99Ms,
  utilisation,
})

describe('the knee', () => {
  const steps = [step(100, 0.1, 5), step(200, 0.3, 6), step(400, 0.6, 8), step(500, 0.7, 12), step(600, 0.9, 40)]

  test('is the last step at which latencies are as they were at ease', () => {
    expect(kneeOf(steps)).toEqual({ knee: steps[3], at80: 550, scaleAt: 0.7 })
  })

  test('is before the step that does not keep up, however fast its answers are', () => {
    const refusing = [...steps.slice(0, 3), step(500, 0.7, 8, 400), step(600, 0.9, 8, 410)]
    expect(kneeOf(refusing)?.knee).toBe(refusing[2])
  })

  test('does not mind a bad moment before it', () => {
    const disturbed = [step(50, 0.05, 90), ...steps]
    expect(kneeOf(disturbed)?.knee).toBe(steps[3])
  })

  test('is the last step of all when none is past it, and scaling begins at 80 % at the latest', () => {
    const easy = [step(100, 0.1, 5), step(200, 0.95, 5)]
    expect(kneeOf(easy)).toMatchObject({ knee: easy[1], scaleAt: 0.8 })
  })

  test('is not told when nothing was at ease', () => {
    expect(kneeOf([])).toBeUndefined()
    expect(kneeOf([step(100, 0.9, 5)])).toBeUndefined()
    expect(kneeOf([step(100, 0.1, 5, 10)])).toBeUndefined()
  })

  test('a utilisation that was not reached has no rate', () => {
    expect(rateAt(steps, 0.95)).toBeNull()
    expect(rateAt(steps, 0.2)).toBe(150)
  })

  test('is said in one sentence', () => {
    expect(sentence(kneeOf(steps)!, 'GET /parts', 1)).toBe(
      'One loop serves 550 req/s of GET /parts at 80 % utilisation; scale at 70 %: the knee is at 500 req/s and 70 %.',
    )
    expect(sentence({ ...kneeOf(steps)!, at80: null }, 'it', 2)).toMatch(
      /^2 loops serve 500 req\/s of it at the knee, 70 %/,
    )
  })
})

describe('axes', () => {
  test('begin at 0 and have lines at round numbers', () => {
    expect(linear(4300).ticks).toEqual([0, 2000, 4000, 6000])
    expect(linear(4300).at(3000)).toBe(0.5)
    expect(linear(100).ticks).toEqual([0, 25, 50, 75, 100])
    expect(linear(0).ticks.length).toBeGreaterThan(1)
  })

  test('of orders of magnitude have a line at each', () => {
    const scale = logarithmic(0.7, 900)
    expect(scale.ticks).toEqual([0.1, 1, 10, 100, 1000])
    expect(scale.at(10)).toBe(0.5)
    expect(scale.at(0)).toBe(0)
  })

  test('along which something happens have few', () => {
    expect(along(0, 69).ticks).toEqual([0, 10, 20, 30, 40, 50, 60])
    expect(along(0, 0).at(0)).toBe(0)
  })
})

describe('a chart', () => {
  const lines = [
    { name: 'a', colour: 1, values: [1, null, 3] },
    { name: 'b', colour: 2, values: [1, 1, 1] },
  ]
  const chart = { title: 'T', x: [0, 1, 2], xUnit: 'seconds', unit: 'ms', lines }

  test('has a gap where there is no value', () => {
    expect(draw(chart)).toContain('class="line c1" d="M0 666.67M1000 0"')
  })

  test('stacks lines on top of each other, the highest drawn first', () => {
    const drawn = draw({ ...chart, kind: 'stacked' })
    const [first, second] = [...drawn.matchAll(/class="area c(\d)" d="M0 (\S+?)L/g)]
    expect([first?.[1], second?.[1]]).toEqual(['2', '1'])
    expect(Number(first?.[2])).toBeLessThan(Number(second?.[2]))
  })

  test('marks what happened, whatever its words hold', () => {
    expect(draw({ ...chart, marks: [{ x: 1, text: '<b>' }] })).toContain(
      'class="mark" style="left:50%"><b>&#60;b&#62;</b>',
    )
  })
})

test('numbers have three digits, and what is none is a dash', () => {
  expect([figure(12345.6), figure(1.23456), figure(0.0123), figure(NaN), figure(null)]).toEqual(
    ['12\u2009346', '1.23', '0.0123', '–', '–'], // prettier-ignore
  )
  expect(percent(0.1234)).toBe('12.3 %')
  expect(safe(`<a b="c">&'`)).toBe('&#60;a b=&#34;c&#34;&#62;&#38;&#39;')
})

describe('a comparison', () => {
  const slower = {
    ...ramp,
    totals: { ...ramp.totals, perSecond: ramp.totals.perSecond / 2, p99Ms: ramp.totals.p99Ms * 1.05 },
  }
  const row = (name: string, now: Result, before?: Result) => compare(now, before).find((one) => one.name === name)

  test('says what is better and what is worse, and nothing of what runs differ by anyway', () => {
    expect(row('answered', slower, ramp)).toMatchObject({ change: -0.5, better: false })
    expect(row('answered', ramp, slower)).toMatchObject({ change: 1, better: true })
    expect(row('p99', slower, ramp)).toMatchObject({ change: expect.closeTo(0.05), better: null })
  })

  test('says nothing of a run that was not', () => {
    expect(row('answered', ramp)).toMatchObject({ before: null, change: null, better: null })
  })
})

describe('the report of a recorded ramp', () => {
  const html = page(ramp, ramp)

  test('asks nothing of any other file or host', () => {
    expect(html).not.toMatch(/https?:|src=|@import|url\(|<link|fetch\(/)
  })

  test('says what one loop serves, and shows the knee', () => {
    expect(html).toMatch(/One loop serves [\d ]+ req\/s of GET \/parts at 80 % utilisation; scale at \d+ %/)
    expect(html).toContain('<b>knee</b>')
    expect(html).toContain('<b>80 % busy</b>')
  })

  test('has a chart for each thing that was seen, who was on the loop among them', () => {
    const titles = [...html.matchAll(/<h3>(.*?) <small>/g)].map(([, title]) => title)
    expect(titles).toEqual([
      'Utilisation by load',
      'Latency by load',
      'Throughput',
      'Latency',
      'Loop utilisation',
      'Loop delay',
      'Who was on the loop',
      'Done without',
      'Memory',
    ])
    expect(html).not.toContain('NaN')
  })

  test('tells of each threshold whether it is met', () => {
    expect(html).toContain('<em class="met">passed</em>')
    const verdict = { metric: 'prompt', condition: 'rate>0.6', value: 0.2, met: false } as const
    expect(page({ ...ramp, verdicts: [verdict] }, undefined)).toContain('<em class="failed">failed</em>')
  })

  test('without steps or a run before it has neither', () => {
    const plain = page(
      { ...ramp, steps: [], points: ramp.points.map((point) => ({ ...point, ledger: {} })) },
      undefined,
    )
    expect(plain).not.toMatch(/<h2>The knee|One loop serves|Against the run|Who was on the loop/)
  })

  test('is summed up in Markdown and for the terminal', () => {
    expect(markdown(ramp, ramp)).toMatch(/^# ramp: passed\n/)
    expect(markdown(ramp, ramp)).toContain('| offered | answered well | utilisation | p50 ms | p99 ms |')
    expect(summary(ramp)).toMatch(/loop_utilisation \.+ avg=63.2 % max=100 %/)
    expect(summary(ramp)).toContain('✓ dropped_iterations count==0 (0)')
  })
})
