import type { Context } from 'hono'
import { problem } from './problem.ts'

/** How much is to be said: lines of a level and of those behind it are written. */
export const levels = ['debug', 'info', 'warn', 'error'] as const
export type Level = (typeof levels)[number]

/** Answers a POST that says how much is to be logged from now on: `?level=warn`. */
export function changeLevel(c: Context, log: (level: Level) => void): Response {
  const level = levels.find((one) => one === c.req.query('level'))
  if (level === undefined) return problem(400, `expected level to be one of ${levels.join(', ')}`)
  log(level)
  return c.json({ level })
}
