import type { Redis } from 'ioredis'
import { besides, pauseMs } from './connect.ts'

/** Is told of changes that others make. */
export interface Watch {
  /** The key has changed, or is gone. */
  changed(key: string): void
  /** Changes may have been missed: nothing that is known of any key holds any more. */
  missed(): void
  /** From now on changes are told. */
  began(): void
}

/** Follows one server; ends when it is told to. */
export interface Tracking {
  /** Whether changes are told. */
  readonly on: boolean
  stop(): void
}

const channel = '__redis__:invalidate'
const beatMs = 1_000

/**
 * Has a Redis server tell which keys are changed by others than this connection (client-side caching, broadcasting
 * mode), on a second connection. Both are looked after: when either is lost, or silent, the watch is told that changes
 * may have been missed, and all is set up anew.
 */
export function track(node: Redis, prefixes: readonly string[], watch: Watch): Tracking {
  let ear: Redis | null = null
  let on = false
  let stopped = false
  let failures = 0
  let timer: NodeJS.Timeout | undefined

  function lose(): void {
    clearTimeout(timer)
    ear?.disconnect()
    ear = null
    if (on) watch.missed()
    on = false
  }

  async function begin(): Promise<void> {
    lose()
    const own = besides(node)
    ear = own
    // Without a listener it would be written to the console.
    own.on('error', () => {})
    own.once('end', () => {
      if (ear === own) again()
    })
    own.on('messageBuffer', (_channel: Buffer, keys: unknown) => {
      // A null is what a server says whose keys were all dropped.
      if (Array.isArray(keys)) for (const key of keys) watch.changed(String(key))
      else watch.missed()
    })
    try {
      await own.connect()
      const id = String(await own.client('ID'))
      await own.subscribe(channel)
      await node.call('CLIENT', 'TRACKING', 'OFF')
      const scope = prefixes.flatMap((prefix) => ['PREFIX', prefix])
      // NOLOOP: what this gateway stores itself it has in memory already.
      await node.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, 'BCAST', ...scope, 'NOLOOP')
    } catch {
      if (ear === own) again()
      return
    }
    if (ear !== own) return
    failures = 0
    on = true
    watch.began()
    beat(own)
  }

  /** A connection whose other end is gone without a word looks as one does on which nothing has happened. */
  function beat(own: Redis, silent = 0): void {
    timer = setTimeout(() => {
      own.ping().then(
        () => ear === own && beat(own),
        () => {
          if (ear !== own) return
          // Once may have been a pause of this loop. What is silent to the ear is silent to the node.
          if (silent === 0) beat(own, 1)
          else node.disconnect(true)
        },
      )
    }, beatMs)
    timer.unref()
  }

  function again(): void {
    lose()
    if (stopped || node.status !== 'ready') return
    timer = setTimeout(() => void begin(), pauseMs(++failures))
    timer.unref()
  }

  const onReady = (): void => void begin()
  node.on('ready', onReady).on('close', lose)
  if (node.status === 'ready') onReady()
  else if (node.status === 'wait') node.connect().catch(() => {})
  return {
    get on() {
      return on
    },
    stop() {
      stopped = true
      node.off('ready', onReady).off('close', lose)
      lose()
    },
  }
}
