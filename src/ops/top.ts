import type { Diagnosis, Now } from './page/moment.ts'

/** How the terminal shows what is told. */
export interface Screen {
  readonly columns: number
  readonly colours: boolean
}

/** Reads the feed of an ops port: gives each second's state until the feed ends. Rejects when it cannot be had. */
export async function* watch(opsUrl: string, signal: AbortSignal): AsyncGenerator<Now> {
  const response = await fetch(new URL('api/live', opsUrl.endsWith('/') ? opsUrl : `${opsUrl}/`), { signal })
  if (!response.ok || response.body === null) throw new Error(`${opsUrl} answered ${response.status}`)
  let text = ''
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) {
      const fields = new Map(event.split('\n').map((line) => line.split(/: (.*)/s, 2) as [string, string]))
      if (fields.get('event') === 'now') yield JSON.parse(fields.get('data') ?? '') as Now
    }
  }
}

const dim = '\x1b[2m'
const bold = '\x1b[1m'
const red = '\x1b[31m'
const yellow = '\x1b[33m'
const plain = '\x1b[0m'

/** Draws one second as lines of text: what the page shows, for a terminal. */
export function draw(now: Now, { columns, colours }: Screen): string {
  const ink = (code: string, text: string): string => (colours && text !== '' ? `${code}${text}${plain}` : text)
  const { moment, process, diagnosis, routes, upstreams } = now
  const head = [
    `Oneloop ${process.version}  ${process.state}  config ${process.revision}`,
    `loop ${bar(moment.utilization)} ${percent(moment.utilization)}   delay p50 ${ms(moment.delayP50Ms)} p99 ${ms(moment.delayP99Ms)} max ${ms(moment.delayMaxMs)}`,
    `requests ${moment.requests}/s   failed ${moment.failed}/s   shed ${moment.shed}/s   GC ${ms(moment.gcMs)}/s   RSS ${mebi(moment.rssBytes)}   heap ${mebi(moment.heapBytes)}`,
  ]
  const levels: Readonly<Record<Diagnosis['level'], string>> = { fine: dim, watch: yellow, act: red }
  const said = diagnosis.map(({ level, text }) => ink(levels[level], cut(text, columns)))
  const tables = [
    table(
      ['route', '/s', 'now', 'p50', 'p99', 'failed', 'missing', 'loop'],
      routes
        .toSorted((one, other) => other.loopShare - one.loopShare)
        .map((row) => [
          row.name,
          row.perSecond,
          row.active,
          ms(row.p50Ms),
          ms(row.p99Ms),
          row.failed,
          row.missing,
          percent(row.loopShare),
        ]),
    ),
    table(
      ['upstream', '/s', 'now', 'limit', 'queued', 'breaker', 'retries', 'failed', 'p50', 'p99'],
      upstreams.map((row) => [
        row.name,
        row.perSecond,
        row.active,
        Math.round(row.limit),
        row.queued,
        row.breaker,
        row.retries,
        row.failed,
        ms(row.p50Ms),
        ms(row.p99Ms),
      ]),
    ),
    table(
      ['on the loop', 'of the second'],
      Object.entries(moment.byPhase)
        .sort(([, one], [, other]) => other - one)
        .map(([phase, share]) => [phase, percent(share)]),
    ),
  ]
  const shown = tables.map(([first = '', ...rows]) => [
    ink(bold, cut(first, columns)),
    ...rows.map((row) => cut(row, columns)),
  ])
  return [...head.map((line) => cut(line, columns)), ...said, ...shown.flatMap((lines) => ['', ...lines])].join('\n')
}

function table(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const all = [heads, ...rows.map((row) => row.map(String))]
  const widths = heads.map((_, i) => Math.max(...all.map((row) => (row[i] ?? '').length)))
  return all.map((row) =>
    row.map((text, i) => (i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))).join('  '),
  )
}

function cut(line: string, columns: number): string {
  return line.length > columns ? `${line.slice(0, columns - 1)}…` : line
}

function bar(share: number): string {
  const full = Math.round(share * 20)
  return '█'.repeat(full) + '░'.repeat(20 - full)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.0995 && share > 0 ? 1 : 0)} %`
}

function ms(value: number | null): string {
  return value === null ? '–' : `${value.toFixed(value < 10 ? 1 : 0)} ms`
}

function mebi(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MiB`
}
