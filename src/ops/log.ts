import { pino } from 'pino'
import type { Batch } from '../telemetry/log.ts'

/** Writes the log of the process to stdout, as JSON lines. */
export interface LogWriter {
  log(level: 'info' | 'warn' | 'error', message: string, fields?: object): void
  /** Writes lines that a data loop has made, with the time at which it made them. */
  lines(batch: Batch): void
}

/** Makes the one writer of a process's log. */
export function logWriter(): LogWriter {
  const logger = pino({ base: null, timestamp: false, formatters: { level: (label) => ({ level: label }) } })
  const now = (): string => new Date().toISOString()
  return {
    log: (level, message, fields = {}) => logger[level]({ time: now(), ...fields }, message),
    lines({ lines, dropped }) {
      for (const { level, message, fields, at } of lines) {
        logger[level]({ time: new Date(at).toISOString(), ...fields }, message)
      }
      if (dropped > 0) logger.warn({ time: now(), dropped }, 'log lines were dropped')
    },
  }
}
