import { Pool } from 'undici'
import type { Ask, Play } from './play.ts'

/** What became of a request: its status, or what went wrong; `partial` when a part is told as missing. */
export interface Answer {
  readonly status: number
  readonly partial: boolean
  readonly error: string | null
}

/** Sends a request; tells how it ended, once. */
export type Send = (ask: Ask, ended: (answer: Answer) => void) => void

/** A client with many connections, each of which carries one request at a time. */
export function client({ url, connections, timeoutMs }: Pick<Play, 'url' | 'connections' | 'timeoutMs'>): {
  readonly send: Send
  readonly close: () => Promise<void>
} {
  const pool = new Pool(url, { connections, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 600_000 })
  const headers = { 'content-type': 'application/json' }
  return {
    send: ({ method, path, body }, ended) => {
      const options = body === undefined ? { method, path } : { method, path, body, headers }
      pool.dispatch(options, new Waiting(ended, timeoutMs))
    },
    close: () => pool.destroy(),
  }
}

interface Controller {
  abort(reason: Error): void
}

/** undici's handler of one request: methods on a prototype, as the driver must cost less than what it drives. */
class Waiting {
  private controller: Controller | undefined
  private status = 0
  private partial = false
  private open = true
  private readonly ended: (answer: Answer) => void
  private readonly timer: NodeJS.Timeout

  constructor(ended: (answer: Answer) => void, timeoutMs: number) {
    this.ended = ended
    this.timer = setTimeout(Waiting.late, timeoutMs, this)
  }

  private static late(this: void, waiting: Waiting): void {
    waiting.end('timeout')
    waiting.controller?.abort(new Error('the client has left'))
  }

  private end(error: string | null): void {
    if (!this.open) return
    this.open = false
    clearTimeout(this.timer)
    this.ended({ status: this.status, partial: this.partial, error })
  }

  onRequestStart(controller: Controller): void {
    this.controller = controller
    if (!this.open) controller.abort(new Error('the client has left'))
  }
  onResponseStart(_controller: unknown, status: number, headers: Record<string, unknown>): void {
    this.status = status
    this.partial = headers['oneloop-missing'] !== undefined
  }
  onResponseData(): void {}
  onResponseEnd(): void {
    this.end(null)
  }
  onResponseError(_controller: unknown, error: Error & { code?: string }): void {
    this.end(error.code ?? error.name)
  }
}
