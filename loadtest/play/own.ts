import { startDriver } from '../drive/driver.ts'
import type { Player } from './perform.ts'

/** Plays with our own driver. */
export const playOurselves: Player = async ({ scenario: { mix }, phases }, { url }) => {
  await using driver = await startDriver()
  const seconds = await driver.ask({ url, mix, phases, timeoutMs: 10_000, connections: 1024, seed: 1 })
  return { seconds }
}
