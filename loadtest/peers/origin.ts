/** The origin where there is no nginx: answers everything with the same JSON. */
import { createServer } from 'node:http'
import { reply } from './reply.ts'
import { announce } from './peer.ts'

const body = Buffer.from(reply)
const headers = { 'content-type': 'application/json', 'content-length': body.length }
const server = createServer({ keepAliveTimeout: 600_000 }, (_request, response) => {
  response.writeHead(200, headers).end(body)
})
server.listen(0, '127.0.0.1', () => announce(server))
