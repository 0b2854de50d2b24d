import { dateOf } from './date.ts'

// behaviour.md: 25–250 ms.
const baseMs = 25
const capMs = 250

/**
 * Gives how long to wait before a further attempt, 0 being the first of them: anything from nothing up to a bound that
 * doubles ("full jitter", Exponential Backoff And Jitter, Brooker 2015), so that calls that failed together do not
 * come again together. `random` gives [0, 1).
 */
export function backoffMs(again: number, random: () => number): number {
  return random() * Math.min(capMs, baseMs * 2 ** again)
}

// RFC 9111 §1.2.2: what is greater than that counts as that.
const mostSeconds = 2 ** 31

/** Reads Retry-After (RFC 9110 §10.2.3) to how long it asks to wait: null when there is none, or none that is valid. */
export function retryAfterMs(value: string | undefined, epochMs: number): number | null {
  if (value === undefined) return null
  // White space around a value is no part of it (RFC 9110 §5.5), but not every parser takes it off.
  const text = value.trim()
  if (/^\d+$/.test(text)) return Math.min(Number(text), mostSeconds) * 1_000
  const atMs = dateOf(text, epochMs)
  return atMs === null ? null : Math.max(0, atMs - epochMs)
}
