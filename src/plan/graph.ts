/** Finds the cycles among steps, each told once; `needs` lists for each step the places of those it reads from. */
export function findCycles(needs: readonly (readonly number[])[]): number[][] {
  const cycles: number[][] = []
  const state = needs.map(() => 'new' as 'new' | 'open' | 'done')
  const way: number[] = []
  const visit = (place: number): void => {
    if (state[place] === 'open') cycles.push(way.slice(way.indexOf(place)))
    if (state[place] !== 'new') return
    state[place] = 'open'
    way.push(place)
    for (const other of needs[place] ?? []) visit(other)
    way.pop()
    state[place] = 'done'
  }
  needs.forEach((_, place) => visit(place))
  return cycles
}

/** What a chain of steps costs, and the places of its steps in the order in which they run. */
export interface Chain {
  readonly cost: number
  readonly way: readonly number[]
}

/** Finds the dearest chain of steps that wait for each other; for steps without cycles. */
export function longestChain(steps: readonly { readonly needs: readonly number[]; readonly cost: number }[]): Chain {
  const known = new Map<number, Chain>()
  const none: Chain = { cost: 0, way: [] }
  const dearer = (one: Chain, other: Chain): Chain => (other.cost > one.cost ? other : one)
  const to = (place: number): Chain => {
    const before = known.get(place)
    if (before !== undefined) return before
    // Entered before its needs, so that a cycle, which is a fault told elsewhere, ends.
    known.set(place, none)
    const { needs, cost } = steps[place] as (typeof steps)[number]
    const longest = needs.map(to).reduce(dearer, none)
    const chain = { cost: longest.cost + cost, way: cost > 0 ? [...longest.way, place] : longest.way }
    known.set(place, chain)
    return chain
  }
  return steps.map((_, place) => to(place)).reduce(dearer, none)
}
