/** What people write by hand: Hono, global fetch, `Promise.all`, parsed and serialised again. */
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { announce, readPeer } from './peer.ts'

const { origin, paths } = readPeer()
const app = new Hono()

app.get('/fan/:count', async (c) => {
  const parts = await Promise.all(
    paths.map(async (path) => {
      const response = await fetch(origin + path)
      if (!response.ok) throw new Error(`${path} answered ${response.status}`)
      return [path.slice(1), await response.json()] as const
    }),
  )
  return c.json(Object.fromEntries(parts))
})

const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => announce(server as Server))
