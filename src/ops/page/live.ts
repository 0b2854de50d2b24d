import type { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import type { Kept } from '../../telemetry/record.ts'
import type { Feed, Moment, Now } from './moment.ts'

// A quarter of an hour.
const mostMoments = 900
const mostViewers = 32
// A reader that has not taken this many events has gone to sleep.
const mostWaiting = 30

type Event = { [Name in keyof Feed]: { readonly event: Name; readonly data: Feed[Name] } }[keyof Feed]

/** What those who look at the page are told each second. */
export interface Live {
  /** The last quarter of an hour. */
  readonly moments: readonly Moment[]
  /** Remembers a second, and tells it to all who look. */
  second(now: Now): void
  /** Tells of requests whose traces were kept. */
  kept(kept: readonly Kept[]): void
  serve(app: Hono): void
}

/** Makes the feed of the page. `recent` gives the requests that were kept before somebody looked. */
export function live(recent: () => readonly Kept[]): Live {
  let moments: readonly Moment[] = []
  let last: Now | null = null
  const viewers = new Set<Viewer>()
  // Written once, however many look.
  const tell = (event: Event): void => {
    if (viewers.size === 0) return
    const text = { event: event.event, data: JSON.stringify(event.data) }
    for (const viewer of viewers) viewer.tell(text)
  }
  return {
    get moments() {
      return moments
    },
    second(now) {
      moments = [...moments, now.moment].slice(-mostMoments)
      last = now
      tell({ event: 'now', data: now })
    },
    kept: (kept) => tell({ event: 'kept', data: kept }),
    serve(app) {
      app.get('/api/live', (c) => {
        if (viewers.size >= mostViewers) return c.text('too many are looking\n', 503)
        return streamSSE(c, async (stream) => {
          const viewer = new Viewer()
          viewer.tell({ event: 'history', data: JSON.stringify(moments.slice(0, -1)) })
          if (last !== null) viewer.tell({ event: 'now', data: JSON.stringify(last) })
          viewer.tell({ event: 'kept', data: JSON.stringify(recent()) })
          viewers.add(viewer)
          stream.onAbort(() => viewer.leave())
          for (let text = await viewer.next(); text !== null; text = await viewer.next()) await stream.writeSSE(text)
          viewers.delete(viewer)
        })
      })
    },
  }
}

interface Text {
  readonly event: string
  readonly data: string
}

/** One who looks: what is told while it has not taken what was told before waits, up to a bound. */
class Viewer {
  #waiting: Text[] = []
  #wake: (() => void) | null = null
  #gone = false

  tell(text: Text): void {
    // Whoever does not read any more is let go: a browser comes back by itself, and is told all anew.
    if (this.#waiting.length >= mostWaiting) this.leave()
    else this.#waiting.push(text)
    this.#wake?.()
  }

  leave(): void {
    this.#gone = true
    this.#wake?.()
  }

  /** Gives what is to be told next, once there is something; null when nobody looks any more. */
  async next(): Promise<Text | null> {
    while (this.#waiting.length === 0 && !this.#gone) {
      await new Promise<void>((resolve) => (this.#wake = resolve))
      this.#wake = null
    }
    return this.#gone ? null : (this.#waiting.shift() ?? null)
  }
}
