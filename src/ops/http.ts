import { type ServerType, serve } from '@hono/node-server'
import { Hono } from 'hono'
import { mayChange } from './change.ts'
import { type Level, changeLevel } from './level.ts'
import { type Form, formOf, forms } from './prometheus.ts'
import { type PurgeAll, purge } from './purge.ts'
import { type Reload, reload } from './reload.ts'

/** What the ops port shows. */
export interface Shown {
  /** Whether clients should be sent here. */
  ready(): { readonly ready: boolean }
  /** All that is to be known. */
  status(): object
  /** All numbers, as Prometheus reads them. */
  metrics(form: Form): string
  /** The requests whose traces were kept last, the latest first. */
  traces(): object
}

/** What can be changed by the ops port, and by whom. */
export interface Changes {
  /** Who shows it may; empty: who comes from this machine. */
  readonly token: string
  readonly purge: PurgeAll
  readonly reload: Reload
  /** Sets how much is logged. */
  log(level: Level): void
}

/**
 * Serves health, numbers and status from the control loop, so that they answer also while a data loop is blocked.
 * `/livez` says that this process need not be killed, `/readyz` that it may be sent requests.
 */
export function opsApp(shown: Shown, changes: Changes): Hono {
  const app = new Hono()
  app.use(async (c, next) => {
    await next()
    c.header('cache-control', 'no-store')
  })
  app.on('POST', '/api/*', mayChange(changes.token))
  app.get('/livez', (c) => c.text('ok\n'))
  app.get('/readyz', (c) => {
    const state = shown.ready()
    return c.json(state, state.ready ? 200 : 503)
  })
  app.get('/metrics', (c) => {
    const form = formOf(c.req.header('accept'))
    return c.body(shown.metrics(form), 200, { 'content-type': forms[form], vary: 'accept' })
  })
  app.get('/api/status', (c) => c.json(shown.status()))
  app.get('/api/traces', (c) => c.json(shown.traces()))
  app.post('/api/purge', (c) => purge(c, changes.purge))
  app.post('/api/reload', (c) => reload(c, changes.reload))
  app.post('/api/log', (c) => changeLevel(c, (level) => changes.log(level)))
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
