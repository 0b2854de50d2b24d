import { readFileSync, readdirSync } from 'node:fs'

/** How often the kernel made this process wait for CPU time that its cgroup had used up. */
export interface Throttling {
  readonly periods: number
  readonly throttledPeriods: number
  readonly throttledS: number
}

// Of the second version, and of the first; in a container each is its own.
const cpuStats = ['/sys/fs/cgroup/cpu.stat', '/sys/fs/cgroup/cpu/cpu.stat']

/** Reads what the cgroup of this process tells of its CPU quota; null where there is none. */
export function throttling(files: readonly string[] = cpuStats): Throttling | null {
  const stat = files.map((file) => fieldsOf(read(file))).find((fields) => fields.has('nr_periods')) ?? new Map()
  const periods = stat.get('nr_periods')
  if (periods === undefined) return null
  const throttledUs = stat.get('throttled_usec') ?? (stat.get('throttled_time') ?? 0) / 1_000
  return { periods, throttledPeriods: stat.get('nr_throttled') ?? 0, throttledS: throttledUs / 1_000_000 }
}

/** Counts the files and sockets that are open; null where the system does not tell. */
export function openDescriptors(): number | null {
  try {
    // The folder is itself open while it is read.
    return readdirSync('/proc/self/fd').length - 1
  } catch {
    return null
  }
}

/** Tells how many files and sockets may be open at once. */
export function mostDescriptors(): number {
  const [, soft] = /^Max open files +(\d+)/m.exec(read('/proc/self/limits')) ?? []
  return soft === undefined ? Infinity : Number(soft)
}

/** What a file says, nothing where there is no such file: what is told of a system differs from one to the next. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function fieldsOf(text: string): Map<string, number> {
  const lines = text.split('\n').map((line) => line.split(' '))
  return new Map(lines.map(([name = '', value]) => [name, Number(value)]))
}
