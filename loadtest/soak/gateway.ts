import { once } from 'node:events'
import { join } from 'node:path'
import { type Gateway, startGateway } from '../resilience/gateway.ts'
import type { Held } from './probe.ts'

/** A gateway under soak. */
export interface Soaked extends Gateway {
  /** Looks at what it holds, after a collection. */
  look(): Promise<Held>
  /** Ends it as Ctrl-C does; gives its exit status. */
  end(): Promise<number | null>
}

/** Most calls at once to the upstream `fixed`. */
export const fixedMax = 8

/** Starts a gateway with everything on: retries, hedging, breakers, ejection, limits, steps of all kinds, forwarding. */
export async function startSoaked(urls: readonly string[]): Promise<Soaked> {
  const both = JSON.stringify(urls)
  const gateway = await startGateway(
    `
defaults: { timeout: 500ms, maxBody: 64KiB, breaker: { open: 500ms }, ejection: { failures: 3, for: 500ms } }
upstreams:
  raced: { endpoints: ${both}, hedge: p95, retry: 2 }
  plain: { endpoints: ${both} }
  fixed: { endpoints: ["${urls[0]}"], limit: { max: ${fixedMax}, queue: 0 }, breaker: off }
  streamed: { endpoints: ${both} }
routes:
  - match: GET /one/:id
    budget: 2s
    steps: { a: { call: "GET raced /{params.id}" } }
  - match: GET /fixed/:id
    steps: { a: { call: "GET fixed /{params.id}" } }
  - match: GET /many/:id
    budget: 1s
    steps:
      a: { call: "GET raced /{params.id}" }
      b: { call: "GET plain /b/{params.id}", optional: true }
      c: { call: "GET fixed /{a.id}", optional: true, hedge: 50ms }
      d: { each: '{a.items}', call: "GET plain /{item}/{params.id}", optional: true }
  - match: POST /post/:id
    steps: { a: { call: { method: POST, upstream: plain, path: "/{params.id}", body: "{body}" } } }
  - { match: "ANY /stream/:id", forward: streamed }
`,
    { preload: join(import.meta.dirname, 'probe.ts'), flags: ['--expose-gc', '--disable-warning=ExperimentalWarning'] },
  )
  const { process: child } = gateway
  return {
    ...gateway,
    async look() {
      const told = once(child, 'message')
      child.send('look')
      const [held] = (await told) as [Held]
      return held
    },
    async end() {
      const gone = once(child, 'exit') as Promise<[number | null]>
      child.kill('SIGINT')
      const [code] = await gone
      return code
    },
  }
}
