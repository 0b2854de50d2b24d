import { pino } from 'pino'
import type { Instruments } from '../telemetry/instruments.ts'
import type { Line } from '../telemetry/log.ts'
import type { Batch } from '../telemetry/queue.ts'
import type { Level } from './level.ts'

/** Writes the log of the process to stdout, as JSON lines. */
export interface LogWriter {
  log(level: Level, message: string, fields?: object): void
  /** Sets from which level on lines are written; at first it is info. */
  from(level: Level): void
  /** Writes lines that a data loop has made, with the time at which it made them. */
  lines(batch: Batch<Line>): void
}

// What a reader that has stalled may leave waiting.
const maxWaitingBytes = 1024 * 1024

/**
 * Makes the one writer of a process's log. A reader that stalls or goes away stops nothing: what does not fit is
 * dropped, and counted in a line of its own once there is room.
 */
export function logWriter(numbers: Instruments): LogWriter {
  const { stdout } = process
  const lost = numbers.slot('oneloop.log.dropped', {})
  let dropped = 0
  const drop = (count: number): void => {
    dropped += count
    lost.add(count)
  }
  const hasRoom = (): boolean => stdout.writableLength <= maxWaitingBytes
  const write = (line: string): void => {
    if (hasRoom()) stdout.write(line)
    else drop(1)
  }
  // Not pino's own way to stdout: that waits until a line is written, and this loop with it.
  const options = {
    base: null,
    timestamp: false,
    formatters: { level: (label: string) => ({ level: label }) },
  } as const
  const logger = pino(options, { write })
  const now = (): string => new Date().toISOString()
  const tellDropped = (): void => {
    if (dropped === 0 || !hasRoom()) return
    const told = { time: now(), dropped }
    dropped = 0
    logger.warn(told, 'log lines were dropped')
  }
  stdout.on('drain', tellDropped)
  // Unheard, the error that nobody reads any more would end the process.
  stdout.on('error', () => {})
  return {
    log: (level, message, fields = {}) => logger[level]({ time: now(), ...fields }, message),
    from: (level) => void (logger.level = level),
    lines(batch) {
      for (const { level, message, fields, at } of batch.items) {
        logger[level]({ time: new Date(at).toISOString(), ...fields }, message)
      }
      drop(batch.dropped)
      tellDropped()
    },
  }
}
