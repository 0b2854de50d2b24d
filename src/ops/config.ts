import type { Instruments, Reading } from '../telemetry/instruments.ts'
import { revisionOf, revisionReading } from './readings.ts'
import { reloadResults } from './vitals.ts'

/** Shows which config is in use, and how it went to take up others. */
export interface ConfigMeter {
  /** Takes note of the config that is in use from now on. */
  used(config: object): void
  reloaded(result: (typeof reloadResults)[number]): void
  revision(): Reading
}

/** Makes the meter of the config that is in use. */
export function configMeter(numbers: Instruments, config: object): ConfigMeter {
  const counts = reloadResults.map((_, i) => numbers.slot('oneloop.config.reloads', {}, i))
  const since = numbers.slot('oneloop.config.load.time', {})
  const outdated = numbers.slot('oneloop.config.outdated', {})
  let revision: Reading
  const used = (next: object): void => {
    revision = revisionReading(revisionOf(next))
    since.set(Date.now() / 1_000)
  }
  used(config)
  return {
    used,
    reloaded(result) {
      counts[reloadResults.indexOf(result)]?.add(1)
      outdated.set(result === 'ok' ? 0 : 1)
    },
    revision: () => revision,
  }
}
