import { Cluster, type Redis } from 'ioredis'
import type { Client } from './connect.ts'
import { type Tracking, type Watch, track } from './tracking.ts'

/** Follows all servers that have keys of ours. */
export interface Following {
  /** Whether every change is told. */
  readonly on: boolean
  stop(): void
}

/** Has Redis tell which keys others change: one server, or each master of a cluster, whichever they are by then. */
export function follow(client: Client, prefixes: readonly string[], watch: Watch): Following {
  const tracked = new Map<Redis, Tracking>()
  const look = (): void => {
    const nodes: readonly Redis[] = client instanceof Cluster ? client.nodes('master') : [client as Redis]
    for (const [node, tracking] of tracked) {
      if (nodes.includes(node)) continue
      tracking.stop()
      tracked.delete(node)
    }
    for (const node of nodes) if (!tracked.has(node)) tracked.set(node, track(node, prefixes, watch))
  }
  look()
  const events = ['+node', '-node', 'refresh', 'ready'] as const
  if (client instanceof Cluster) for (const event of events) client.on(event, look)
  return {
    get on() {
      return tracked.size > 0 && [...tracked.values()].every((one) => one.on)
    },
    stop() {
      if (client instanceof Cluster) for (const event of events) client.off(event, look)
      for (const tracking of tracked.values()) tracking.stop()
    },
  }
}
