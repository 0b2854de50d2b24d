import { readFileSync } from 'node:fs'

/** Linux counts CPU time in hundredths of a second for every program, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100

/** The CPU seconds that a process has used, all its threads together; undefined where there is no /proc. */
export function cpuSeconds(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name before it may hold spaces
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** The most memory that a process has had resident, in MiB; undefined where there is no /proc. */
export function peakMiB(pid: number): number | undefined {
  const kib = /VmHWM:\s*(\d+)/.exec(read(`/proc/${pid}/status`) ?? '')?.[1]
  return kib === undefined ? undefined : Number(kib) / 1024
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
