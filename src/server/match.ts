/** A route's place: the methods it serves and its path with `:name` segments, perhaps with a `*` at its end. */
export interface Match {
  readonly method: string
  readonly path: string
}

/** The methods that `ANY` stands for, and all that are served at all. */
export const methods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Lists the methods that a route serves: GET answers HEAD too. */
export function methodsOf(method: string): readonly string[] {
  if (method === 'ANY') return methods
  return method === 'GET' ? ['GET', 'HEAD'] : [method]
}

/** Names the parameters of a path, `*` for what a wildcard matched. */
export function paramsOf(path: string): string[] {
  return path
    .split('/')
    .filter((segment) => segment.startsWith(':') || segment === '*')
    .map((segment) => (segment === '*' ? '*' : segment.slice(1)))
}

/** Whether a path, given in normal form, is one that the pattern matches; `/x/*` matches `/x` as well. */
export function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/')
  const given = path.split('/')
  if (wanted.at(-1) === '*') {
    wanted.pop()
    if (given.length < wanted.length) return false
    given.length = wanted.length
  }
  if (wanted.length !== given.length) return false
  return wanted.every((segment, i) => segment === given[i] || (segment.startsWith(':') && given[i] !== ''))
}

/** Gives what of a path comes after so many of its segments, as it came: what a `*` in that place matches. */
export function restOf(path: string, segments: number): string {
  let at = 0
  for (let i = 1; i < segments && at !== -1; i++) at = path.indexOf('/', at + 1)
  return at === -1 ? '' : path.slice(at + 1)
}

/** Finds the earlier route that leaves a later one nothing to match; null when it has something of its own. */
export function hiddenBy<T extends Match>(route: T, earlier: readonly T[]): T | null {
  const takes = methodsOf(route.method)
  return (
    earlier.find((one) => covers(one.path, route.path) && takes.every((m) => methodsOf(one.method).includes(m))) ?? null
  )
}

/** Whether every path that `narrow` matches is matched by `wide` too. */
function covers(wide: string, narrow: string): boolean {
  const w = wide.split('/')
  const n = narrow.split('/')
  const openEnd = w.at(-1) === '*'
  if (openEnd) w.pop()
  const narrowOpen = n.at(-1) === '*'
  if (narrowOpen) n.pop()
  if (openEnd ? n.length < w.length : narrowOpen || n.length !== w.length) return false
  return w.every((segment, i) => segment.startsWith(':') || segment === n[i])
}
