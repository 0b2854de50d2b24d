import { type Attributes, Instruments, type Kind, type Series } from '../telemetry/instruments.ts'

/** What all series of one name have in common. */
interface Row {
  readonly kind: Kind
  readonly unit: string
  readonly description: string
  readonly bounds?: readonly number[]
  /** What it is told of: each loop, each data loop, the process, or what only some systems tell. */
  readonly of: 'loop' | 'data loop' | 'process' | 'descriptors' | 'cgroup'
  readonly split?: readonly Attributes[]
}

type What = Omit<Row, 'kind'>
const counter = (what: What): Row => ({ kind: 'counter', ...what })
const gauge = (what: What): Row => ({ kind: 'gauge', ...what })
const histogram = (what: What): Row => ({ kind: 'histogram', ...what })

const cpuModes = [{ 'cpu.mode': 'user' }, { 'cpu.mode': 'system' }]
const signals = [{ signal: 'metrics' }, { signal: 'traces' }]

/** What can come of a reload. */
export const reloadResults = ['ok', 'refused'] as const

/** The edges of loop delays, in seconds. */
export const delayBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/** All that the control loop counts and measures itself, by name: names and units are OpenTelemetry's where it has one. */
export const vitals = {
  'nodejs.eventloop.time': counter({
    unit: 's',
    description: 'Time that a loop was active, or idle: waiting for something to do.',
    of: 'loop',
    split: [{ 'nodejs.eventloop.state': 'active' }, { 'nodejs.eventloop.state': 'idle' }],
  }),
  'nodejs.eventloop.utilization': gauge({
    unit: '1',
    description: 'Share of the last second that a loop was active.',
    of: 'loop',
  }),
  'oneloop.loop.utilization': histogram({
    unit: '1',
    description: 'Seconds by the share of them that a loop was active.',
    of: 'loop',
    bounds: [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99],
  }),
  'oneloop.loop.delay': histogram({
    unit: 's',
    description: 'Turns of a loop by how late they made it: what came in meanwhile waited so long.',
    of: 'loop',
    bounds: delayBounds,
  }),
  'oneloop.loop.cpu.time': counter({
    unit: 's',
    description: 'CPU time of the thread of a loop.',
    of: 'loop',
    split: cpuModes,
  }),
  'v8js.memory.heap.used': gauge({ unit: 'By', description: "Memory in use on a loop's heap.", of: 'loop' }),
  'v8js.memory.heap.limit': gauge({ unit: 'By', description: "What a loop's heap may grow to.", of: 'loop' }),
  'oneloop.loop.listening': gauge({
    unit: '{loop}',
    description: '1 while a data loop takes connections.',
    of: 'data loop',
  }),
  'oneloop.loop.deaths': counter({
    unit: '{death}',
    description: 'Data loops that died and were replaced.',
    of: 'data loop',
  }),
  'process.cpu.time': counter({
    unit: 's',
    description: 'CPU time of the process, all threads together.',
    of: 'process',
    split: cpuModes,
  }),
  'process.memory.usage': gauge({ unit: 'By', description: 'Resident memory of the process.', of: 'process' }),
  'process.uptime': gauge({ unit: 's', description: 'Time since the process was started.', of: 'process' }),
  'process.open_fds': gauge({ unit: '{descriptor}', description: 'Open files and sockets.', of: 'descriptors' }),
  'process.max_fds': gauge({
    unit: '{descriptor}',
    description: 'Files and sockets that may be open at once.',
    of: 'descriptors',
  }),
  'oneloop.cgroup.periods': counter({
    unit: '{period}',
    description: 'Periods in which the cgroup had work and a quota of CPU time.',
    of: 'cgroup',
  }),
  'oneloop.cgroup.throttled.periods': counter({
    unit: '{period}',
    description: 'Periods in which the cgroup had used up its quota and was made to wait.',
    of: 'cgroup',
  }),
  'oneloop.cgroup.throttled.time': counter({
    unit: 's',
    description: 'Time that the cgroup was made to wait, summed over CPUs.',
    of: 'cgroup',
  }),
  'oneloop.config.load.time': gauge({
    unit: 's',
    description: 'When the config in use was loaded, in seconds since 1970.',
    of: 'process',
  }),
  'oneloop.config.reloads': counter({
    unit: '{reload}',
    description: 'Times that the config was to be loaded anew, by what came of it.',
    of: 'process',
    split: reloadResults.map((result) => ({ result })),
  }),
  'oneloop.config.outdated': gauge({
    unit: '{config}',
    description: '1 while the config is faulty as it was last read, and an earlier one is in use.',
    of: 'process',
  }),
  'oneloop.log.dropped': counter({
    unit: '{line}',
    description: 'Lines of the log that were dropped since its reader was slow.',
    of: 'process',
  }),
  'oneloop.traces.dropped': counter({
    unit: '{trace}',
    description: 'Traces that were to be kept and were lost on the way from a data loop.',
    of: 'process',
  }),
  'oneloop.otlp.pushes': counter({
    unit: '{push}',
    description: 'Messages to the OTLP collector by what became of them.',
    of: 'process',
    split: signals.flatMap((signal) => ['ok', 'failed'].map((result) => ({ ...signal, result }))),
  }),
  'oneloop.otlp.dropped': counter({
    unit: '{item}',
    description: 'Spans and data points that the OTLP collector did not get.',
    of: 'process',
    split: signals,
  }),
} as const satisfies Record<string, Row>

/** The name of what the control loop tells. */
export type Vital = keyof typeof vitals

/** What of this system can be told. */
export interface Tells {
  readonly cgroup: boolean
  readonly descriptors: boolean
}

/** Makes the numbers of the control loop; `dataLoops` by name. */
export function vitalNumbers(dataLoops: readonly string[], tells: Tells): Instruments {
  const things: Record<Row['of'], readonly Attributes[]> = {
    loop: ['control', ...dataLoops].map((loop) => ({ loop })),
    'data loop': dataLoops.map((loop) => ({ loop })),
    process: [{}],
    descriptors: tells.descriptors ? [{}] : [],
    cgroup: tells.cgroup ? [{}] : [],
  }
  const series = Object.entries(vitals).flatMap(([name, row]: [string, Row]): Series[] => {
    const { of, ...rest } = row
    return things[of].map((attributes) => ({ name, attributes, ...rest }))
  })
  return new Instruments(series)
}
