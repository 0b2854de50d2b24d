import { dateOf } from './date.ts'
import { type Control, type Directives, namedBy, secondsOf } from './directives.ts'
import { type Fields, lineOf } from './fields.ts'

/** When a call was sent and when its reply came, in ms since the epoch. */
export interface Times {
  readonly requestedAt: number
  readonly receivedAt: number
}

/** How old a reply is when it comes, and from then on how long it may be used, in ms. */
export interface Life {
  readonly ageMs: number
  /** How long it is fresh: 0 or less for one that was stale when it came, or that must always be asked about. */
  readonly freshMs: number
  /** How long after that it may be used while it is fetched anew, and when that fails. */
  readonly staleMs: number
  readonly onErrorMs: number
}

/** What an operator allows beyond what a reply says. */
export interface Allowed {
  /** The share of the time since it was last modified that a reply without a word on it is fresh; 0: none. */
  readonly heuristic: number
  readonly staleMs: number
  readonly onErrorMs: number
}

/** Works out the life of a reply (RFC 9111 §4.2, RFC 5861). */
export function lifeOf(status: number, headers: Fields, control: Control, times: Times, allowed: Allowed): Life {
  const { directives } = control
  const ageMs = ageOf(headers, times)
  const lifetimeMs = explicitMs(headers, control, times) ?? heuristicMs(status, headers, control, times, allowed)
  const freshMs = isUnqualified(directives, 'no-cache') ? Math.min(0, lifetimeMs - ageMs) : lifetimeMs - ageMs
  const strict = prohibitsStale(directives)
  const window = (name: string, otherwise: number): number => {
    const seconds = secondsOf(directives, name)
    if (strict) return 0
    // What an origin says itself counts though it says `s-maxage` as well; what an operator says does not.
    return seconds !== undefined ? seconds * 1_000 : directives.has('s-maxage') ? 0 : otherwise
  }
  return {
    ageMs,
    freshMs,
    staleMs: window('stale-while-revalidate', allowed.staleMs),
    onErrorMs: window('stale-if-error', allowed.onErrorMs),
  }
}

/** How old a reply was when it came (RFC 9111 §4.2.3): by its Age, or by its Date if that makes it older. */
function ageOf(headers: Fields, { requestedAt, receivedAt }: Times): number {
  const dateMs = dateOf(lineOf(headers, 'date'), receivedAt) ?? receivedAt
  // Dates are in whole seconds: what is left of one is no age.
  const apparentMs = Math.max(0, Math.floor((receivedAt - dateMs) / 1_000) * 1_000)
  return Math.max(apparentMs, ageFieldMs(headers) + (receivedAt - requestedAt))
}

// Of several values the first counts (RFC 9111 §5.1); one that is no number says nothing.
function ageFieldMs(headers: Fields): number {
  const first = lineOf(headers, 'age')?.split(',', 1)[0]?.trim() ?? ''
  return /^\d+$/.test(first) ? Math.min(Number(first), 2 ** 31) * 1_000 : 0
}

/** The lifetime that a reply tells (RFC 9111 §4.2.1); undefined when it tells none, 0 when what it tells is not valid. */
function explicitMs(headers: Fields, control: Control, { receivedAt }: Times): number | undefined {
  const seconds = secondsOf(control.directives, 's-maxage') ?? secondsOf(control.directives, 'max-age')
  if (seconds !== undefined) return seconds * 1_000
  const expires = control.targeted ? undefined : lineOf(headers, 'expires')
  if (expires === undefined) return undefined
  const expiresMs = dateOf(expires, receivedAt)
  const dateMs = dateOf(lineOf(headers, 'date'), receivedAt) ?? receivedAt
  return expiresMs === null ? 0 : Math.max(0, expiresMs - dateMs)
}

/** Whether a reply tells how long it is fresh. */
export function isExplicit(headers: Fields, { directives, targeted }: Control): boolean {
  return directives.has('s-maxage') || directives.has('max-age') || (!targeted && headers['expires'] !== undefined)
}

// RFC 9110 §15.1.
const heuristically: ReadonlySet<number> = new Set([200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501])

/** Whether a reply that tells no lifetime can be given one (RFC 9111 §4.2.2). */
export function isHeuristic(status: number, directives: Directives): boolean {
  return heuristically.has(status) || directives.has('public')
}

const dayMs = 86_400_000

function heuristicMs(
  status: number,
  headers: Fields,
  { directives }: Control,
  { receivedAt }: Times,
  { heuristic }: Allowed,
): number {
  const modifiedMs = dateOf(lineOf(headers, 'last-modified'), receivedAt)
  if (heuristic === 0 || modifiedMs === null || !isHeuristic(status, directives)) return 0
  const dateMs = dateOf(lineOf(headers, 'date'), receivedAt) ?? receivedAt
  return Math.min(Math.max(0, dateMs - modifiedMs) * heuristic, dayMs)
}

/** Whether a directive stands for the whole reply and not for some of its fields only. */
export function isUnqualified(directives: Directives, name: string): boolean {
  return directives.has(name) && namedBy(directives, name) === null
}

/** Whether a reply must not be used once it is stale, whatever anybody else allows (RFC 9111 §4.2.4). */
export function prohibitsStale(directives: Directives): boolean {
  return (
    directives.has('must-revalidate') || directives.has('proxy-revalidate') || isUnqualified(directives, 'no-cache')
  )
}
