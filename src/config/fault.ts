import { relative } from 'node:path'

/** A place in a file; line and column count from 1. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** What is wrong at a place, in the operator's words. */
export interface Fault extends Place {
  readonly message: string
}

/** What is wrong at a key of the config, before it is known where that was written. */
export interface Finding {
  readonly path: readonly (string | number)[]
  /** What it shows of a value stands in double quotes, so that the value of a variable can be taken out again. */
  readonly message: string
  readonly on?: 'key' | 'value'
  readonly severity: 'fault' | 'warning'
}

/** Writes a fault as one line, with its file relative to the working directory. */
export function format({ file, line, column, message }: Fault): string {
  return `${relative('', file)}:${line}:${column}: ${message}`
}

/** Writes faults, each as a line, and how many they are. */
export function listing(faults: readonly Fault[]): string {
  const lines = faults.map((fault) => `${format(fault)}\n`)
  return `${lines.join('')}oneloop: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'} in the config\n`
}

/** Orders faults by place and tells none twice. */
export function sorted(faults: readonly Fault[]): Fault[] {
  const once = new Map(
    faults.map((fault) => [JSON.stringify([fault.file, fault.line, fault.column, fault.message]), fault]),
  )
  return [...once.values()].sort(
    (a, b) => order(a.file, b.file) || a.line - b.line || a.column - b.column || order(a.message, b.message),
  )
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
