import { randomUUID } from 'node:crypto'
import type { Wheel } from '../call/wheel.ts'
import { type Client, type RedisAddress, type RedisTls, connectTo } from './connect.ts'
import { type Enveloped, seal, unseal } from './envelope.ts'
import { follow } from './follow.ts'
import { type Gate, type RedisMeter, codeOf, guard } from './guard.ts'
import { plainOf } from './key.ts'
import { placesOf } from './places.ts'
import type { Entry, Lease, Purge, Store } from './store.ts'
import { sweep } from './sweep.ts'
import { Waiting } from './waiting.ts'

/** What a store in Redis stands on. */
export interface RedisStoreOptions {
  readonly address: RedisAddress & { readonly prefix: string }
  readonly tls: RedisTls
  readonly wheel: Wheel
  readonly meter: RedisMeter
  /** Makes what decides whether Redis is asked; it knows nothing yet. */
  readonly gate: () => Gate<unknown>
  /** Says what has happened to Redis: `redis away`. */
  readonly tell: (message: string, fields: Readonly<Record<string, unknown>>) => void
}

/** Is told of what other gateways change. */
export interface Others {
  changed(key: string): void
  /** Changes may have been missed; or from now on they are told, and may have been missed before. */
  missed(): void
}

/** A store in Redis, which gateways share. */
export interface RedisStore extends Store {
  get(key: string): Promise<Entry | null>
  /** Finds an entry with the moment until which it is kept. */
  find(key: string): Promise<Enveloped | null>
  lease(key: string, ms: number): Promise<RedisLease | null>
  /** Whether there is a connection. */
  readonly up: boolean
  /** Whether it tells all that other gateways change. */
  readonly following: boolean
}

/** A lease; `shared` when all gateways respect it, which without Redis they cannot. */
export interface RedisLease extends Lease {
  readonly shared: boolean
}

// A gateway that is not told of changes looks again so often.
const pollMs = 50

/**
 * Keeps entries in Redis, and tells `others` what other gateways do to them. Nothing ever fails for whoever asks: without
 * Redis, and while it is slow, nothing is found and nothing is kept.
 */
export function redisStore(options: RedisStoreOptions, others: Others): RedisStore {
  const { address, tls, wheel, meter, gate } = options
  const client = connectTo(address, tls)
  const places = placesOf(address.prefix)
  const waiting = new Waiting(wheel)
  const { run, renew } = guard({ wheel, meter, gate, connected: () => client.status === 'ready' })
  const following = follow(client, [places.entry(''), places.lease('')], {
    changed(place) {
      const key = places.keyOf(place)
      waiting.tell(key)
      if (place === places.entry(key)) others.changed(key)
    },
    missed() {
      waiting.tellAll()
      others.missed()
    },
    began: () => others.missed(),
  })
  observe(client, options, renew)
  const holder = randomUUID()
  let leases = 0

  const drop = (key: string): void => void run(() => client.unlink(places.entry(key)))

  async function find(key: string): Promise<Enveloped | null> {
    const bytes = await run(() => client.getBuffer(places.entry(key)).catch(otherKind))
    if (bytes === undefined || bytes === null) return null
    const found = unseal(bytes)
    if (found === null) {
      meter.failed('corrupt')
      drop(key)
    }
    return found
  }

  return {
    find,
    get: async (key) => (await find(key))?.entry ?? null,
    set(key, entry, keepMs) {
      if (keepMs < 1) return drop(key)
      const now = Date.now()
      const until = now + Math.ceil(keepMs)
      const plain = plainOf(key)
      // Before the entry, so that none is kept that a purge would not find.
      const indexes = [...entry.tags.map((tag) => places.tag(tag)), ...(plain === key ? [] : [places.variants(plain)])]
      for (const index of indexes) void run(() => client.addTo(index, now, until, key))
      void run(() => client.set(places.entry(key), seal(entry, until), 'PX', until - now))
    },
    delete: drop,
    purge: (what: Purge) =>
      sweep(client, places, what).catch((error: unknown) => {
        meter.failed(codeOf(error))
        return null
      }),
    async lease(key, ms) {
      const place = places.lease(key)
      const token = `${holder} ${++leases}`
      const taken = await run(() => client.set(place, token, 'PX', Math.ceil(ms), 'NX'))
      if (taken === null) return null
      if (taken === undefined) return { shared: false, release: () => {} }
      return { shared: true, release: () => void run(() => client.giveBack(place, token)) }
    },
    changed: (key, scope) =>
      // It may have been given back before anybody listened; and its holder may die, of which nobody tells.
      waiting.for(key, scope, async () => {
        const leftMs = (await run(() => client.pttl(places.lease(key)))) ?? -1
        return leftMs < 0 || following.on ? leftMs + 1 : Math.min(leftMs + 1, pollMs)
      }),
    get up() {
      return client.status === 'ready'
    },
    get following() {
      return following.on
    },
    async destroy() {
      // What was given back last is sent at the end of this turn: else others would wait for it to run out.
      await new Promise((resolve) => setImmediate(resolve))
      await run(() => client.quit())
      following.stop()
      client.disconnect()
    },
  }
}

/** What is no text at all is read as what is no entry. */
function otherKind(error: unknown): Buffer {
  if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return Buffer.alloc(0)
  throw error
}

/** Tells whenever Redis is there or away, and counts what goes wrong with connections. */
function observe(client: Client, { meter, tell }: RedisStoreOptions, onReady: () => void): void {
  let up: boolean | null = null
  let detail = ''
  const change = (is: boolean): void => {
    meter.up(is)
    if (up !== is) tell(is ? 'redis connected' : 'redis away', is ? {} : { detail })
    up = is
  }
  const failed = (error: Error): void => {
    detail = error.message
    meter.failed(codeOf(error))
  }
  client.on('error', failed).on('node error', failed)
  client.on('ready', () => {
    onReady()
    change(true)
  })
  client.on('close', () => change(false))
}
