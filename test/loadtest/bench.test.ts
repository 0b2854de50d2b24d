import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { gatewayNames, isGateway, peerNames, readArgs, UsageError } from '../../loadtest/bench/args.ts'
import { readAutocannon, readWrk } from '../../loadtest/bench/load.ts'
import type { Sample, Series } from '../../loadtest/bench/measure.ts'
import { gatewayConfig } from '../../loadtest/bench/peers.ts'
import { costs, doubts, judge, table } from '../../loadtest/bench/report.ts'
import { krakendConfig, nginxLuaConf } from '../../loadtest/bench/servers.ts'
import { median, ratio, spread } from '../../loadtest/bench/stats.ts'
import { versus } from '../../loadtest/bench/versus.ts'
import { parse } from '../../src/config/load.ts'
import { reply } from '../../loadtest/peers/reply.ts'

describe('the command line', () => {
  test('has the defaults that the goals are judged by', () => {
    expect(readArgs([])).toMatchObject({
      seconds: 5,
      rounds: 3,
      connections: 64,
      fanouts: [1, 3, 10],
      only: ['floor', 'naive', 'gateway'],
      goal: 0.8,
    })
  })

  test('is read', () => {
    const args = readArgs([
      '--fanout',
      '3',
      '--only',
      'floor,gateway',
      '--rounds=7',
      '--goal',
      '0.9',
      '--json',
      'x.json',
      '--save',
    ])
    expect(args).toMatchObject({
      fanouts: [3],
      only: ['floor', 'gateway'],
      rounds: 7,
      goal: 0.9,
      json: 'x.json',
      save: true,
    })
  })

  test('"peers" measures all but the bare gateway, unless told which', () => {
    expect(readArgs(['peers'])).toMatchObject({
      peers: true,
      only: peerNames.filter((name) => name === 'gateway' || !isGateway(name)),
    })
    expect(readArgs(['peers', '--only', 'go,gateway'])).toMatchObject({ peers: true, only: ['go', 'gateway'] })
    expect(readArgs([]).peers).toBe(false)
  })

  test.each([
    [['pears'], '"pears" is no word that bench knows; see npm run bench -- --help'],
    [['peers', 'x'], '"x" is no word that bench knows; see npm run bench -- --help'],
    [['--only', 'floor,flor'], `--only takes ${peerNames.join(', ')}, not "flor"`],
    [['--fanout', '1,x'], '--fanout takes a whole number from 1, not "x"'],
    [['--seconds', '0'], '--seconds takes a whole number from 1, not "0"'],
    [['--goal', ''], '--goal takes a number such as 0.80, not ""'],
    [['--speed'], "Unknown option '--speed'"],
  ])('refuses %j in one line', (argv, message) => {
    expect(() => readArgs(argv)).toThrow(new UsageError(message))
  })

  test('a wrong one is told on stderr, with exit code 2', async () => {
    const bench = join(import.meta.dirname, '../../loadtest/bench.ts')
    const run = promisify(execFile)(process.execPath, [bench, 'pears'])
    await expect(run).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^bench: "pears" is no word.*\n$/),
    })
  })
})

describe('statistics', () => {
  test('the median is the middle one, or between the two in the middle', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, NaN])
  })

  test('the spread is a share of the median', () => {
    expect(spread([90, 100, 110])).toBeCloseTo(0.2)
  })

  test('a ratio is of the same round, so that drift between rounds cancels', () => {
    expect(ratio([80, 40, 20], [100, 50, 25])).toBeCloseTo(0.8)
    expect(ratio([80, undefined, 20], [100, 50, undefined])).toBeCloseTo(0.8)
    expect(ratio([undefined], [100])).toBeNaN()
  })
})

describe('what the client saw', () => {
  const good = `Running 5s test @ http://127.0.0.1:1/
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     4.57ms  520.30us  12.00ms   91.00%
  Latency Distribution
     50%    4.40ms
     99%   12.50ms
  70000 requests in 5.01s, 50.00MB read
Requests/sec:  13972.05
`

  test('is read from wrk', () => {
    expect(readWrk(good)).toEqual({ requests: 70_000, seconds: 5.01, p99Ms: 12.5, fault: undefined })
  })

  test('does not count with any answer but 2xx or a broken socket', () => {
    const bad = `${good}  Socket errors: connect 0, read 3, write 0, timeout 0\n  Non-2xx or 3xx responses: 9\n`
    expect(readWrk(bad).fault).toBe('Socket errors: connect 0, read 3, write 0, timeout 0; Non-2xx or 3xx responses: 9')
  })

  test('does not count without an answer', () => {
    expect(readWrk('  0 requests in 5.01s, 0.00B read').fault).toBe('no answer at all')
  })

  test('is read from autocannon', () => {
    const result = { requests: { total: 500 }, duration: 5, latency: { p99: 7 }, non2xx: 0, errors: 0, timeouts: 0 }
    expect(readAutocannon(JSON.stringify(result))).toEqual({ requests: 500, seconds: 5, p99Ms: 7, fault: undefined })
    expect(readAutocannon(JSON.stringify({ ...result, errors: 2 })).fault).toMatch(/2 errors/)
  })
})

describe('the report', () => {
  const sample = (perSecond: number, busy = 1): Sample => ({ perSecond, p99Ms: 5, cpuMicros: 1e6 / perSecond, busy })
  const series = (name: Series['name'], ...samples: (Sample | undefined)[]): Series => ({
    name,
    fanout: 3,
    samples,
    faults: [],
    peakMiB: 100,
  })
  const floor = series('floor', sample(10_000), sample(5000), sample(12_000))
  const gateway = series('gateway', sample(8500), sample(4250), undefined)

  test('sets each peer beside the floor and the naive one', () => {
    const [head, ...rows] = table([floor, series('naive', sample(2000), sample(1000)), gateway]).split('\n')
    expect(head).toMatch(/^fan-out 3 +req\/s +spread +× floor +× naive/)
    expect(rows[0]).toMatch(/^floor +10 000 +70 % +1.00 +5.00/)
    expect(rows[2]).toMatch(/^gateway +6 375 +67 % +0.85 +4.25/)
  })

  test('says what the protecting layers cost where they were measured', () => {
    const bare = series('bare', sample(10_000), sample(5000), sample(12_000))
    expect(costs([floor, gateway, bare])).toEqual([expect.stringMatching(/^At fan-out 3 .* cost 15\.0 % of/)])
    expect(costs([floor, gateway])).toEqual([])
    const [blind, untraced] = [series('blind', sample(8_000)), series('untraced', sample(7_800))]
    expect(costs([gateway, blind, untraced])).toEqual([
      'At fan-out 3 the ledger costs 2.5 % of the throughput without.',
      expect.stringMatching(/^At fan-out 3 tracing 1 % costs /),
    ])
  })

  test('sets the gateway beside its peers, in Markdown', () => {
    const naive = { ...series('naive', sample(2000), sample(1000)), even: { perSecond: 700, p99Ms: 12.34 } }
    const lines = versus([naive, gateway, series('go', undefined)]).split('\n')
    expect(lines[0]).toBe(
      '| fan-out 3 | req/s on one core | Oneloop is | p99 at 700 req/s | CPU per request | memory |',
    )
    expect(lines[2]).toBe('| naive | 1.50 k | 4.25 × | 12.3 ms | 750 µs | 100 MiB |')
    expect(lines[3]).toBe('| **Oneloop** | 6.38 k |  | – | 176 µs | 100 MiB |')
    expect(lines[4]).toBe('| go | – | – | – | – | 100 MiB |')
  })

  test('judges the goal at fan-out 3', () => {
    expect(judge([floor, gateway], 0.8)).toMatchObject({
      met: true,
      says: expect.stringContaining('0.85 of the floor'),
    })
    expect(judge([floor, gateway], 0.9)).toMatchObject({
      met: false,
      says: expect.stringContaining('below the goal of 0.90'),
    })
  })

  test('judges by CPU time when the client or the origin was the limit', () => {
    const slow = series('floor', { ...sample(5000, 0.5), cpuMicros: 50 })
    const same = series('gateway', { ...sample(5000), cpuMicros: 100 })
    expect(judge([slow, same], 0.8)).toMatchObject({ met: false, says: expect.stringContaining('judged by CPU time') })
  })

  test('does not pass a gateway of which no run counts', () => {
    expect(judge([floor, series('gateway', undefined)], 0.8).met).toBe(false)
  })

  test('judges nothing when one of the two was not measured', () => {
    expect(judge([floor], 0.8)).toMatchObject({ met: true, says: expect.stringContaining('not judged') })
  })

  test('doubts a figure when the core was idle', () => {
    expect(doubts([floor, series('gateway', sample(100, 0.5))])).toEqual([
      expect.stringMatching(/^gateway used only 50 % of its core at fan-out 3/),
    ])
  })
})

test.each(gatewayNames)('%s makes as many different calls as the others, of a sound config', (name) => {
  const config = gatewayConfig(name, 'http://127.0.0.1:1', 10, 2, 3)
  expect(parse(config, { file: '/gateway.yaml', env: {} }).faults).toEqual([])
  expect(config.match(/call: GET origin \/a\d+/g)?.length).toBe(10)
  expect(config).toContain('a10: { call: GET origin /a10 }')
})

test('the reply is 486 bytes of JSON that a single-quoted nginx string can hold', () => {
  expect(Buffer.byteLength(reply)).toBe(486)
  expect(reply).not.toMatch(/['$\\]/)
})

describe('the peers', () => {
  const given = { origin: 'http://127.0.0.1:81', fanout: 2, port: 82, folder: '/tmp/x' }

  test('KrakenD has a backend for each call, each under its own name', () => {
    expect(JSON.parse(krakendConfig(given))).toMatchObject({
      version: 3,
      port: 82,
      endpoints: [
        {
          endpoint: '/fan/2',
          backend: [
            { url_pattern: '/a1', host: ['http://127.0.0.1:81'], group: 'a1' },
            { url_pattern: '/a2', host: ['http://127.0.0.1:81'], group: 'a2' },
          ],
        },
      ],
    })
  })

  test('nginx makes all its calls at once, over connections that it keeps', () => {
    const conf = nginxLuaConf(given)
    expect(conf).toContain('capture_multi({ { "/up/a1" }, { "/up/a2" } })')
    expect(conf).toContain('upstream origin { server 127.0.0.1:81; keepalive 128;')
  })

  test('those that run here without installing anything answer as the gateway does; what is missing is told', async () => {
    const bench = join(import.meta.dirname, '../../loadtest/bench.ts')
    const names = ['floor', 'naive', 'gateway', 'bare', 'pipelined', 'traced', 'nginx-lua', 'go', 'krakend']
    const options = ['peers', '--check', '--fanout', '2', '--only', names.join(',')]
    const { stdout } = await promisify(execFile)(process.execPath, [bench, ...options])
    const left = [...stdout.matchAll(/^(\S+) is left out: (no \w+ on PATH|nginx has no Lua module .*)\.$/gm)]
    const able = names.filter((name) => !left.some(([, out]) => out === name))
    expect(able).toEqual(expect.arrayContaining(['floor', 'naive', 'gateway', 'bare', 'pipelined', 'traced']))
    expect(stdout).toContain(`${able.join(', ')} give the same answers.`)
  }, 120_000)
})
