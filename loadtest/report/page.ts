import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Result } from '../play/result.ts'
import type { Verdict } from '../play/thresholds.ts'
import { curve, overTime } from './charts.ts'
import { type Row, compare, signed } from './compare.ts'
import { kneeOf, sentence } from './knee.ts'
import { figure, safe } from './text.ts'

const file = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8')

/** Makes the report of a run: one file that asks nothing of any other. */
export function page(result: Result, before: Result | undefined): string {
  const met = result.verdicts.every((verdict) => verdict.met)
  const rows = compare(result, before)
  const knee = kneeOf(result.steps)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Oneloop load run: ${safe(result.scenario)}</title>
<style>
${file('style.css')}</style>
</head>
<body>
<header>
<h1>${safe(result.scenario)} <em class="${met ? 'met' : 'failed'}">${met ? 'passed' : 'failed'}</em></h1>
<p>${safe(result.about)}</p>
<p>${safe(`${result.date.slice(0, 16).replace('T', ' ')} UTC, commit ${result.commit}${result.changed ? ' with changes' : ''}`)}</p>
</header>
${knee === undefined ? '' : `<p class="sentence">${safe(sentence(knee, result.asks, result.loops))}</p>`}
<dl class="tiles">${rows
    .filter(({ name }) => onTiles.has(name))
    .map(tile)
    .join('')}</dl>
${result.steps.length === 0 ? '' : `<h2>The knee</h2>\n<div class="charts">${curve(result)}</div>`}
<h2>Over time</h2>
<div class="charts">${overTime(result)}</div>
<h2>Thresholds</h2>
<div class="scroll"><table><tr><th>metric</th><th>condition</th><th>measured</th><th></th></tr>${result.verdicts.map(verdictRow).join('')}</table></div>
<h2>${before === undefined ? 'In figures' : `Against the run of ${safe(`${before.date.slice(0, 16).replace('T', ' ')}, ${before.commit}`)}`}</h2>
<div class="scroll"><table><tr><th></th><th>now</th>${before === undefined ? '' : '<th>then</th><th>change</th>'}</tr>${rows.map(comparison).join('')}</table></div>
<footer><p>${safe(result.setting)}. ${safe(result.cpu)}. ${safe(lateness(result))}</p></footer>
<script>
${file('cursor.js')}</script>
</body>
</html>
`
}

/** A driver that is late adds to what it measures. */
function lateness({ totals: { lateMs } }: Result): string {
  return `The driver sent requests up to ${figure(lateMs)} ms late, which is part of their latencies.`
}

const onTiles = new Set(['answered', 'failed', 'p50', 'p99', 'loop utilisation', 'loop delay, p99'])

function tile({ name, now, change, better }: Row): string {
  const changed = change === null ? '' : ` <small class="${tone(better)}">${signed(change)}</small>`
  return `<div><dt>${safe(name)}</dt><dd>${safe(now)}${changed}</dd></div>`
}

function verdictRow({ metric, condition, value, met }: Verdict): string {
  const says = met ? '<td class="good">met</td>' : '<td class="bad">not met</td>'
  return `<tr><td>${safe(metric)}</td><td>${safe(condition)}</td><td>${figure(value)}</td>${says}</tr>`
}

function comparison({ name, now, before, change, better }: Row): string {
  const then = before === null ? '' : `<td>${safe(before)}</td><td class="${tone(better)}">${signed(change)}</td>`
  return `<tr><td>${safe(name)}</td><td>${safe(now)}</td>${then}</tr>`
}

function tone(better: boolean | null): string {
  if (better === null) return ''
  return better ? 'good' : 'bad'
}
