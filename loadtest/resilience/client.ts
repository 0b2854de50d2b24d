/** Clients in a process of their own: they send as they are told, and tell what they have seen. */
import { Agent, get } from 'node:http'
import type { Flow, Order, Seen } from './clients.ts'

const agent = new Agent({ keepAlive: true })

process.on('disconnect', () => process.exit(0))
process.on('message', (order: Order) => {
  void Promise.all(order.flows.map((flow) => run(flow, order.seconds))).then((seen) => process.send?.(seen))
})
process.send?.('ready')

/** Sends one flow to its end. */
function run(flow: Flow, seconds: number): Promise<Seen> {
  const seen = { sent: 0, kinds: {} as Record<string, number>, tookMs: [] as number[], lateMs: [] as number[] }
  const ask = (dueAt: number): Promise<void> => {
    const url = flow.url + seen.sent++
    seen.lateMs.push(performance.now() - dueAt)
    return new Promise((resolve) => {
      const done = (kind: string): void => {
        seen.kinds[kind] = (seen.kinds[kind] ?? 0) + 1
        seen.tookMs.push(performance.now() - dueAt)
        resolve()
      }
      get(url, { agent }, (response) => {
        const error = /error=(\w+)/.exec(String(response.headers['proxy-status']))?.[1]
        response.resume()
        response.once('end', () => done(error === undefined ? `${response.statusCode}` : error))
        response.once('error', (why) => done(why.message))
      }).once('error', (why) => done(why.message))
    })
  }
  const all =
    flow.perSecond === undefined ? closed(flow.clients, flow.requests, ask) : open(flow.perSecond, seconds, ask)
  return all.then(() => seen)
}

/** So many clients, each of which sends as soon as it is answered. */
async function closed(clients: number, requests: number, ask: (dueAt: number) => Promise<void>): Promise<void> {
  let left = requests
  const client = async (): Promise<void> => {
    while (left-- > 0) await ask(performance.now())
  }
  await Promise.all(Array.from({ length: clients }, client))
}

/** A request whenever one is due, whatever became of those before: its time begins then, though it may be sent late. */
function open(perSecond: number, seconds: number, ask: (dueAt: number) => Promise<void>): Promise<unknown> {
  const began = performance.now()
  const everyMs = 1_000 / perSecond
  const count = perSecond * seconds
  const asked: Promise<void>[] = []
  return new Promise((resolve) => {
    const send = (): void => {
      const now = performance.now()
      for (; asked.length < count; asked.push(ask(began + asked.length * everyMs))) {
        const leftMs = began + asked.length * everyMs - now
        if (leftMs > 0) return void setTimeout(send, leftMs)
      }
      resolve(Promise.all(asked))
    }
    send()
  })
}
