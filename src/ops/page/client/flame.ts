import { element } from './element.ts'
import { ms, percent } from './format.ts'

/** A CPU profile as V8 makes it, with what the ledger says of each sample. */
export interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  /** The time before each sample, in µs. */
  readonly timeDeltas: readonly number[]
  readonly oneloop: {
    /** Whose work it may be: route, upstream and phase, in words. */
    readonly accounts: readonly (readonly string[])[]
    /** The place in `accounts` of each sample. */
    readonly samples: readonly number[]
  }
}

interface Frame {
  readonly name: string
  readonly title: string
  micros: number
  readonly children: Map<string, Frame>
}

const rowPx = 18
// Narrower than this nothing can be read or hit.
const leastPercent = 0.15

/** Shows a profile as a flame graph: at the root whose work it was, by the ledger, above it the functions. */
export function showFlame(into: HTMLElement, profile: Profile): void {
  const root = treeOf(profile)
  const draw = (focus: Frame): void => {
    const bars: HTMLElement[] = []
    const depth = lay(focus, 0, 100, 0, bars, focus.micros, draw)
    const flame = element('div', { class: 'flame', style: `height:${(depth + 1) * rowPx}px` }, ...bars)
    const back = element('button', { type: 'button' }, 'whole profile')
    back.addEventListener('click', () => draw(root))
    const whole = `${ms(focus.micros / 1_000)} of ${ms(root.micros / 1_000)} on the loop. A click goes into a frame.`
    into.replaceChildren(element('p', { class: 'hint' }, whole, ' ', focus === root ? null : back), flame)
  }
  draw(root)
}

function treeOf({ nodes, samples, timeDeltas, oneloop }: Profile): Frame {
  const byNode = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const ways = new Map(nodes.map(({ id }) => [id, wayTo(id, parents)]))
  const root: Frame = { name: 'loop', title: '', micros: 0, children: new Map() }
  samples.forEach((id, i) => {
    const node = byNode.get(id)
    // Between two samples V8 names what it found at the second.
    if (node === undefined || node.callFrame.functionName === '(idle)') return
    const micros = Math.max(0, timeDeltas[i] ?? 0)
    const account = oneloop.accounts[oneloop.samples[i] ?? 0] ?? ['unattributed']
    let at = root
    at.micros += micros
    for (const name of account) at = child(at, name, 'by the ledger', micros)
    for (const step of ways.get(id) ?? []) {
      const frame = byNode.get(step)?.callFrame
      if (frame === undefined || frame.functionName === '(root)') continue
      const name = frame.functionName === '' ? '(anonymous)' : frame.functionName
      at = child(
        at,
        name,
        frame.url === '' ? '' : `${frame.url.replace(/^.*\/(?=.*\/)/, '')}:${frame.lineNumber + 1}`,
        micros,
      )
    }
  })
  return root
}

function wayTo(id: number, parents: ReadonlyMap<number, number>): number[] {
  const way: number[] = []
  for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) way.push(at)
  return way.reverse()
}

function child(frame: Frame, name: string, title: string, micros: number): Frame {
  const key = `${name}\n${title}`
  const found = frame.children.get(key) ?? { name, title, micros: 0, children: new Map<string, Frame>() }
  found.micros += micros
  frame.children.set(key, found)
  return found
}

/** Lays a frame and what it called; gives the depth that it came to. */
function lay(
  frame: Frame,
  left: number,
  width: number,
  depth: number,
  bars: HTMLElement[],
  whole: number,
  focus: (frame: Frame) => void,
): number {
  const share = whole === 0 ? 0 : frame.micros / whole
  const bar = element(
    'div',
    {
      style: `left:${left}%;width:${width}%;top:${depth * rowPx}px;background:${shade(frame)}`,
      title: `${frame.name} ${frame.title}\n${ms(frame.micros / 1_000)}, ${percent(share)}`,
    },
    frame.name,
  )
  bar.addEventListener('click', () => focus(frame))
  bars.push(bar)
  let deepest = depth
  let at = left
  for (const one of [...frame.children.values()].sort((a, b) => b.micros - a.micros)) {
    const wide = whole === 0 ? 0 : (one.micros / whole) * 100
    if (wide >= leastPercent) deepest = Math.max(deepest, lay(one, at, wide, depth + 1, bars, whole, focus))
    at += wide
  }
  return deepest
}

/** Warm for functions, cool for what the ledger says; the same name has the same shade. */
function shade({ name, title }: Frame): string {
  let sum = 0
  for (const letter of name) sum = (sum * 31 + letter.charCodeAt(0)) % 997
  const hue = title === 'by the ledger' || title === '' ? 200 + (sum % 40) : 20 + (sum % 35)
  return `hsl(${hue} 75% ${68 + (sum % 10)}%)`
}
