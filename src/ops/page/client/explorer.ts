import type { Kept } from '../../../telemetry/record.ts'
import type { Moment } from '../moment.ts'
import { byId, element } from './element.ts'
import { ms } from './format.ts'
import { showWaterfall } from './waterfall.ts'

// As many as the control loop remembers.
const most = 200

/** Makes the explorer of the last requests that were kept. */
export function makeExplorer(history: () => readonly Moment[]): {
  add(kept: readonly Kept[]): void
  /** Goes to the next request of the list, or with -1 to the one before. */
  move(by: number): void
  hold(): void
  filter(): void
} {
  const list = byId('kept')
  const waterfall = byId('waterfall')
  const words = byId<HTMLInputElement>('filter')
  const button = byId('hold')
  let all: readonly Kept[] = []
  let waiting: readonly Kept[] = []
  let chosen: string | null = null
  let held = false

  const shown = (): readonly Kept[] => all.filter((kept) => textOf(kept).includes(words.value.trim().toLowerCase()))
  const choose = (spanId: string): void => {
    chosen = spanId
    for (const item of list.children) item.setAttribute('aria-selected', String(item.id === `r-${spanId}`))
    showWaterfall(
      waterfall,
      all.find((kept) => kept.spanId === spanId),
      history(),
    )
  }
  const draw = (): void => {
    const kept = shown()
    list.replaceChildren(...kept.map((one) => itemOf(one, () => choose(one.spanId))))
    if (kept.length === 0) list.append(element('li', { class: 'empty' }, 'none'))
    if (chosen === null || !kept.some(({ spanId }) => spanId === chosen)) chosen = kept[0]?.spanId ?? null
    if (chosen === null) showWaterfall(waterfall, undefined, history())
    else choose(chosen)
  }
  words.addEventListener('input', draw)
  button.addEventListener('click', hold)

  function hold(): void {
    held = !held
    button.setAttribute('aria-pressed', String(held))
    if (!held) take(waiting)
    waiting = []
  }
  function take(kept: readonly Kept[]): void {
    all = [...kept, ...all].slice(0, most)
    draw()
  }
  return {
    add(kept) {
      if (held) waiting = [...kept, ...waiting].slice(0, most)
      else take(kept)
    },
    move(by) {
      const kept = shown()
      const next = kept[kept.findIndex(({ spanId }) => spanId === chosen) + by]
      if (next === undefined) return
      choose(next.spanId)
      document.getElementById(`r-${next.spanId}`)?.scrollIntoView({ block: 'nearest' })
    },
    hold,
    filter: () => words.focus(),
  }
}

function textOf({ route, status, result, why, requestId, traceId, path }: Kept): string {
  return [route, status, result, why, requestId, traceId, path].join(' ').toLowerCase()
}

function itemOf(kept: Kept, choose: () => void): HTMLElement {
  const kind = kept.status >= 500 || kept.status === 499 ? 'bad' : kept.status >= 400 ? 'warn' : ''
  const item = element(
    'li',
    { id: `r-${kept.spanId}`, 'aria-selected': 'false' },
    element('span', { class: kind }, String(kept.status)),
    element('span', { class: 'route', title: kept.path }, kept.route),
    element('span', { class: 'why' }, kept.result === 'ok' ? kept.why : `${kept.why} · ${kept.result}`),
    element('span', {}, ms(kept.durationMs)),
  )
  item.addEventListener('click', choose)
  return item
}
