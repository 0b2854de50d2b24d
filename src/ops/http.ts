import { type ServerType, serve } from '@hono/node-server'
import { Hono } from 'hono'

/** What the ops port shows. */
export interface Shown {
  /** Whether clients should be sent here. */
  ready(): { readonly ready: boolean }
  /** All that is to be known. */
  status(): object
  /** The requests whose traces were kept last, the latest first. */
  traces(): object
}

/**
 * Serves health and status from the control loop, so that they answer also while a data loop is blocked. `/livez` says
 * that this process need not be killed, `/readyz` that it may be sent requests.
 */
export function opsApp(shown: Shown): Hono {
  const app = new Hono()
  app.use(async (c, next) => {
    await next()
    c.header('cache-control', 'no-store')
  })
  app.get('/livez', (c) => c.text('ok\n'))
  app.get('/readyz', (c) => {
    const state = shown.ready()
    return c.json(state, state.ready ? 200 : 503)
  })
  app.get('/api/status', (c) => c.json(shown.status()))
  app.get('/api/traces', (c) => c.json(shown.traces()))
  app.get('/', (c) => c.text('Oneloop ops: /livez /readyz /api/status /api/traces\n'))
  return app
}

/** Listens on the ops port. Rejects with the system's error when the address cannot be had. */
export function listenOps(app: Hono, host: string, port: number): Promise<{ port: number; close(): void }> {
  return new Promise((resolve, reject) => {
    const server: ServerType = serve({ fetch: app.fetch, hostname: host, port, overrideGlobalObjects: false }, (info) =>
      resolve({ port: info.port, close: () => server.close() }),
    )
    server.once('error', reject)
  })
}
