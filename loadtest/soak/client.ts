import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { type End, type Tally, namesAnother } from './tally.ts'

/** Clients that ask on and on, until they are stopped. */
export interface Clients {
  /** Has no more requests sent; settles when all have ended, which they must within the given time. */
  stop(withinMs: number): Promise<void>
}

const routes = ['one', 'fixed', 'many', 'many', 'post', 'stream', 'stream', 'upload'] as const
type Route = (typeof routes)[number]

// Well within what two cores bear together with the origins, since it is not speed that is tested here.
const perSecond = 150
const leaveShare = 0.1
// Most answers are quick, so most of those who leave are, too.
const leaveMs = 300
const haste = 4

/** Has clients send requests at random moments, of which some leave before they are answered. */
export function startClients(url: string, tally: Tally, random: () => number): Clients {
  const agent = new Agent({ keepAlive: true })
  const asking = new Set<Promise<void>>()
  let timer: NodeJS.Timeout
  const next = (): void => {
    const route = routes[Math.floor(random() * routes.length)] as Route
    const leavesMs = random() < leaveShare ? random() ** haste * leaveMs : null
    const id = `n${tally.sent++}`
    const one = ask(url, agent, route, id, leavesMs).then((end) => {
      tally.add(end)
      asking.delete(one)
    })
    asking.add(one)
    timer = setTimeout(next, (-Math.log(1 - random()) * 1_000) / perSecond)
  }
  next()
  return {
    async stop(withinMs) {
      clearTimeout(timer)
      const late = new Promise((resolve) => setTimeout(resolve, withinMs).unref())
      await Promise.race([Promise.all(asking), late])
      agent.destroy()
    },
  }
}

/** Sends a request, and leaves so long after it is sent unless it has ended by then. */
function ask(url: string, agent: Agent, route: Route, id: string, leavesMs: number | null): Promise<End> {
  const posts = route === 'post' || route === 'upload'
  const path = `${url}/${route === 'upload' ? 'stream' : route}/${id}`
  const headers = posts ? { 'content-type': 'application/json' } : {}
  const sent = request(path, { agent, method: posts ? 'POST' : 'GET', headers })
  return new Promise((resolve) => {
    let left = false
    sent.once(
      'response',
      (response) => void read(response, route, id).then((end) => resolve(left ? { kind: 'left' } : end)),
    )
    sent.once('error', ({ message: why }) => resolve(left ? { kind: 'left' } : { kind: 'lost', route, why }))
    if (leavesMs !== null) leaveAfter(sent, leavesMs, () => (left = true))
    if (posts) sent.write('{"a":')
    if (posts) setTimeout(() => sent.destroyed || sent.end('1}'), 20)
    else sent.end()
  })
}

/** Leaves, but not before there is a connection for the head: else the gateway would see no request. */
function leaveAfter(sent: ClientRequest, ms: number, leave: () => void): void {
  let alarm: NodeJS.Timeout
  const arm = (): void => {
    alarm = setTimeout(() => {
      leave()
      sent.destroy(new Error('left'))
    }, ms)
  }
  sent.once('socket', (socket) => (socket.connecting ? socket.once('connect', arm) : arm()))
  sent.once('close', () => clearTimeout(alarm))
}

async function read(response: IncomingMessage, route: Route, id: string): Promise<End> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer)
  } catch {
    return { kind: 'broken', route: route === 'upload' ? 'stream' : route }
  }
  const text = Buffer.concat(chunks).toString()
  return { kind: 'answered', status: response.statusCode ?? 0, foreign: namesAnother(text, id) }
}
