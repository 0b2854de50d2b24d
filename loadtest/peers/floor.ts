/**
 * The floor: the least that any gateway on node:http and undici must do. It dispatches the calls, splices the bytes
 * of the replies into one JSON object and answers. It has no routes, no deadlines and no limits, and checks only that
 * a reply is a 200.
 */
import { createServer, type ServerResponse } from 'node:http'
import { Pool } from 'undici'
import { announce, readPeer } from './peer.ts'

const { origin, paths } = readPeer()
const pool = new Pool(origin, { connections: 128, headersTimeout: 0, bodyTimeout: 0 })
const calls = paths.map((path) => ({ path, method: 'GET' as const }))
const keys = paths.map((path, index) => Buffer.from(`${index === 0 ? '{' : ','}"${path.slice(1)}":`))
const end = Buffer.from('}')
const keysLength = keys.reduce((sum, key) => sum + key.length, end.length)

/** Collects the replies of one request, and answers with the last of them. */
class Gather {
  private readonly pieces: Buffer[] = []
  private missing = calls.length
  private length = keysLength
  private readonly response: ServerResponse

  constructor(response: ServerResponse) {
    this.response = response
    for (let index = 0; index < calls.length; index++) this.pieces.push(keys[index]!, end)
    this.pieces.push(end)
  }

  take(index: number, body: Buffer): void {
    this.pieces[index * 2 + 1] = body
    this.length += body.length
    if (--this.missing > 0) return
    this.response.writeHead(200, { 'content-type': 'application/json', 'content-length': this.length })
    this.response.end(Buffer.concat(this.pieces, this.length))
  }

  fail(): void {
    if (!this.response.headersSent) this.response.writeHead(502).end()
  }
}

/** undici's handler of one call: methods on a prototype, so that a call makes one object and no closures. */
class Call {
  private body: Buffer | undefined
  private readonly gather: Gather
  private readonly index: number

  constructor(gather: Gather, index: number) {
    this.gather = gather
    this.index = index
  }

  onRequestStart(): void {}
  onResponseStart(_controller: unknown, status: number): void {
    if (status !== 200) this.gather.fail()
  }
  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.body = this.body === undefined ? chunk : Buffer.concat([this.body, chunk])
  }
  onResponseEnd(): void {
    this.gather.take(this.index, this.body ?? Buffer.from('null'))
  }
  onResponseError(): void {
    this.gather.fail()
  }
}

const server = createServer((_request, response) => {
  const gather = new Gather(response)
  for (let index = 0; index < calls.length; index++) pool.dispatch(calls[index]!, new Call(gather, index))
})
server.listen(0, '127.0.0.1', () => announce(server))
