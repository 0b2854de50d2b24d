/** The origins of a soak, in a process of their own: raw sockets that answer well or in any wrong way, by draw. */
import { once } from 'node:events'
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { seeded } from '../upstreams/latency.ts'
import { type Asked, type Fault, faults, good } from './faults.ts'
import type { Seen, Told } from './origins.ts'

// So many of the requests go wrong: few enough that most requests of several steps have something to show.
const wrongShare = 0.25
const downEveryMs = 3_000
const downMs = 200
// In the end replies are good, and slow enough for requests to be there at once.
const calmMs = 300

const random = seeded(Number(process.argv[2] ?? 1))
const drawn: Record<string, number> = {}
const busy = new Set<Socket>()
const names = Object.keys(faults)
let calm = false

const servers = [createServer(converse), createServer(converse)]
for (const server of servers) server.listen(0, '127.0.0.1')
await Promise.all(servers.map((server) => once(server, 'listening')))
const ports = servers.map((server) => (server.address() as AddressInfo).port)
servers.forEach((server, i) => void goDown(server, ports[i] as number))

process.on('disconnect', () => process.exit(0))
process.on('message', (told: Told) => {
  if (told === 'calm') calm = true
  process.send?.({ drawn, busy: busy.size } satisfies Seen)
})
process.send?.(ports)

/** U1: refuses connections for a while, now and then. */
async function goDown(server: Server, port: number): Promise<void> {
  for (;;) {
    await pause(downEveryMs * 2 * random())
    if (calm) return
    server.close() // those who are connected stay
    drawn['U1 refused'] = (drawn['U1 refused'] ?? 0) + 1
    await pause(downMs)
    server.listen(port, '127.0.0.1')
  }
}

function converse(socket: Socket): void {
  let text = ''
  socket.on('error', () => {}) // who leaves in mid-reply resets
  socket.on('close', () => busy.delete(socket))
  socket.on('data', (bytes) => {
    busy.add(socket)
    text += bytes.toString('latin1')
    if (!isWhole(text)) return
    const asked = { socket, body: bodyFor(text), random }
    text = ''
    void answer(asked)
  })
}

async function answer(asked: Asked): Promise<void> {
  const whole = await draw()(asked)
  // Of what is no whole reply the gateway must make an end itself.
  if (whole) busy.delete(asked.socket)
}

function draw(): Fault {
  if (calm) return (asked) => pause(calmMs).then(() => well(asked))
  if (random() > wrongShare) return well
  const name = names[Math.floor(random() * names.length)] as string
  drawn[name] = (drawn[name] ?? 0) + 1
  return faults[name] as Fault
}

function well({ socket, body }: Asked): boolean {
  if (socket.writable) socket.write(good(body))
  return true
}

/** Whether a request is there with its body: the gateway never sends a second one before the reply. */
function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return false
  const [head, body] = [text.slice(0, end), text.slice(end + 4)]
  const length = /\ncontent-length: (\d+)/i.exec(head)?.[1]
  if (length !== undefined) return body.length >= Number(length)
  return !/\ntransfer-encoding: chunked/i.test(head) || body.endsWith('0\r\n\r\n')
}

/** The reply names the request that it is for: the last piece of its path. */
function bodyFor(text: string): string {
  const id = /^\S+ \S*\/(\w+)/.exec(text)?.[1] ?? ''
  return JSON.stringify({ id, items: [1, 2, 3], pad: 'x'.repeat(random() * 2_000) })
}
