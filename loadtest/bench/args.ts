import { parseArgs } from 'node:util'

/** What can be measured, in the order of the table. */
export const peerNames = [
  'floor',
  'naive',
  'gateway',
  'bare',
  'pipelined',
  'blind',
  'untraced',
  'traced',
  'nginx-lua',
  'go',
  'krakend',
  'krakend-2',
  'fastify',
  'aiohttp',
  'aiohttp-each',
] as const

/** The gateway, and the gateway in other ways, to see what something costs. */
export const gatewayNames = ['gateway', 'bare', 'pipelined', 'blind', 'untraced', 'traced'] as const

/** A gateway, in one way or another. */
export type GatewayName = (typeof gatewayNames)[number]

/** What the gateway is set beside by `bench -- peers`, in the order of its table. */
const rivals: readonly PeerName[] = peerNames.filter((name) => name === 'gateway' || !isGateway(name))

/** Whether it is the gateway that is measured, in whatever way. */
export function isGateway(name: PeerName): name is GatewayName {
  return (gatewayNames as readonly PeerName[]).includes(name)
}

/** The name of something that is measured. */
export type PeerName = (typeof peerNames)[number]

/** What `npm run bench` was asked to do. */
export interface Args {
  readonly seconds: number
  readonly rounds: number
  readonly warmup: number
  readonly connections: number
  readonly fanouts: readonly number[]
  readonly only: readonly PeerName[]
  readonly goal: number
  readonly check: boolean
  /** Whether the gateway is set beside all its peers, also at a load that the slowest of them bears. */
  readonly peers: boolean
  readonly save: boolean
  readonly json: string | undefined
  readonly help: boolean
}

/** Told when the command line is wrong; the message is one plain line. */
export class UsageError extends Error {}

/** The command line's help. */
export const help = `npm run bench -- [peers] [options]

Measures, in turn and pinned alike, requests per second of the gateway, of the floor
(node:http and undici, nothing else) and of naive Hono + fetch, each making N upstream
calls per request with nothing cached. With the word "peers" it measures all of these that this
machine can run: nginx with Lua, Go's net/http, KrakenD with one and two threads, Fastify + undici,
FastAPI + aiohttp with one session and with a session per request.

  --fanout 1,3,10             calls per request
  --only floor,naive,gateway  what to measure; bare: the gateway with all that protects it from
                              upstreams switched off, to see what that costs; pipelined: the gateway
                              with "pipelining: 4" for the upstream; blind: without ledger and traces;
                              untraced, traced: with a sample of 0 % and of 100 % in place of 1 %
  --rounds 3                  rounds; in each all take their turn, medians are printed
  --seconds 5                 length of one measurement
  --warmup 8                  seconds of load before the first round
  --connections 64            the client's connections
  --goal 0.80                 exit 1 if the gateway makes less of the floor than this at fan-out 3
  --check                     only check that all give the same answer
  --json FILE                 write the results to FILE
  --save                      write them to loadtest/results/<date>-<commit>.json
  --help                      this
`

/** Reads the command line; throws a UsageError for anything that it does not know. */
export function readArgs(argv: readonly string[]): Args {
  const { values, positionals } = parse(argv)
  const [word, ...others] = positionals
  const unknown = word === 'peers' ? others[0] : word
  if (unknown !== undefined) {
    throw new UsageError(`"${unknown}" is no word that bench knows; see npm run bench -- --help`)
  }
  return {
    seconds: number('seconds', values.seconds, 1),
    rounds: number('rounds', values.rounds, 1),
    warmup: number('warmup', values.warmup, 0),
    connections: number('connections', values.connections, 1),
    fanouts: values.fanout.split(',').map((text) => number('fanout', text, 1)),
    only: only(values.only, word === 'peers'),
    peers: word === 'peers',
    goal: fraction('goal', values.goal),
    check: values.check,
    save: values.save,
    json: values.json,
    help: values.help,
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        seconds: { type: 'string', default: '5' },
        rounds: { type: 'string', default: '3' },
        warmup: { type: 'string', default: '8' },
        connections: { type: 'string', default: '64' },
        fanout: { type: 'string', default: '1,3,10' },
        only: { type: 'string' },
        goal: { type: 'string', default: '0.80' },
        check: { type: 'boolean', default: false },
        save: { type: 'boolean', default: false },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ', 1)[0])
  }
}

function number(name: string, text: string, least: number): number {
  const value = Number(text)
  if (text !== '' && Number.isInteger(value) && value >= least) return value
  throw new UsageError(`--${name} takes a whole number from ${least}, not "${text}"`)
}

function fraction(name: string, text: string): number {
  const value = Number(text)
  if (text !== '' && value >= 0) return value
  throw new UsageError(`--${name} takes a number such as 0.80, not "${text}"`)
}

function only(text: string | undefined, peers: boolean): readonly PeerName[] {
  if (text !== undefined) return text.split(',').map(peerName)
  return peers ? rivals : ['floor', 'naive', 'gateway']
}

function peerName(text: string): PeerName {
  const name = peerNames.find((known) => known === text)
  if (name === undefined) throw new UsageError(`--only takes ${peerNames.join(', ')}, not "${text}"`)
  return name
}
