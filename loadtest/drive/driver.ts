import { join } from 'node:path'
import { type Child, startChild } from '../resilience/child.ts'
import type { Play, Second } from './play.ts'

/** A driver that is running; it ends with `await using`. */
export type Driver = Child<Play, Second[]>

/** Starts a driver beside the origins, away from what it drives. */
export async function startDriver(): Promise<Driver> {
  const { child } = await startChild<Play, Second[]>('others', join(import.meta.dirname, 'main.ts'))
  return child
}
