/** The origin where there is no nginx: answers everything with the same JSON, after DELAY_MS. */
import { createServer } from 'node:http'
import { reply } from './reply.ts'
import { announce } from './peer.ts'

const body = Buffer.from(reply)
const delayMs = Number(process.env['DELAY_MS'] ?? 0)
const headers = { 'content-type': 'application/json', 'content-length': body.length }
const server = createServer({ keepAliveTimeout: 600_000 }, (_request, response) => {
  const answer = () => response.writeHead(200, headers).end(body)
  if (delayMs > 0) setTimeout(answer, delayMs)
  else answer()
})
server.listen(0, '127.0.0.1', () => announce(server))
