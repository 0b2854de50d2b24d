import type { Context } from 'hono'
import { problem } from './problem.ts'

/** Has the config read anew. Tells what of it waits for a restart, or what is wrong with it. */
export type Reload = (
  why: string,
) => Promise<
  | { readonly ok: true; readonly restart: readonly string[]; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly faults: readonly string[] }
>

/** Answers a POST that has the config read anew, once that is done. */
export async function reload(c: Context, by: Reload): Promise<Response> {
  const reloaded = await by('POST /api/reload')
  if (reloaded.ok) return c.json({ restart: reloaded.restart, warnings: reloaded.warnings })
  const { faults } = reloaded
  return problem(422, 'the config was refused, the one before stays', { members: { faults } })
}
