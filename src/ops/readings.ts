import { createHash } from 'node:crypto'
import type { Reading } from '../telemetry/instruments.ts'

/**
 * Leaves out what has never been counted of what could be counted in many combinations, such as failures by route:
 * there are thousands of them, and most never happen. What has one attribute at most is always told.
 */
export function told(readings: readonly Reading[]): Reading[] {
  return readings.filter(
    ({ kind, value, attributes }) => kind !== 'counter' || value !== 0 || Object.keys(attributes).length < 2,
  )
}

/** Names a config by what is in it, so that two gateways with the same name have the same config. */
export function revisionOf(config: object): string {
  // Templates are maps, which JSON would take for empty.
  const text = JSON.stringify(config, (_, value: unknown) => (value instanceof Map ? [...value] : value))
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

/** Tells the revision of the config in use, as a number that is always 1. */
export function revisionReading(revision: string): Reading {
  return {
    name: 'oneloop.config.info',
    kind: 'gauge',
    unit: '',
    description: 'The revision of the config in use.',
    attributes: { revision },
    value: 1,
  }
}
