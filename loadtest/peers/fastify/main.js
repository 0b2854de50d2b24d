/** Fastify in front, undici behind: one pool, replies parsed and serialised again. */
import Fastify from 'fastify'
import { Pool } from 'undici'

const pool = new Pool(process.env.ORIGIN, { connections: 128, headersTimeout: 0, bodyTimeout: 0 })
const paths = Array.from({ length: Number(process.env.FANOUT) }, (_, index) => `/a${index + 1}`)
const app = Fastify({ logger: false })

async function part(path) {
  const { statusCode, body } = await pool.request({ path, method: 'GET' })
  if (statusCode !== 200) throw new Error(`${path} answered ${statusCode}`)
  return [path.slice(1), await body.json()]
}

app.get('/fan/:count', async () => Object.fromEntries(await Promise.all(paths.map(part))))

console.log(await app.listen({ host: '127.0.0.1', port: 0 }))
process.stdin.on('close', () => process.exit(0)).resume()
