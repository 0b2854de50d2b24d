// What operators might write: the transforms of transform.test.ts.
import { setTimeout as pause } from 'node:timers/promises'
import type { Transform } from '../../src/plan/plan.ts'

export const given: Transform = ({ params, query, headers, body }, replies) => ({
  params,
  query,
  header: headers['x-key'],
  Header: headers['X-Key'],
  absent: headers['constructor'] ?? null,
  body: body ?? null,
  replies,
})

export const later: Transform = async (_, { a }) => {
  await pause(20)
  return { later: a as unknown }
}

/** What it comes to is named in the query: all that can go wrong in a function of somebody else's. */
export const does: Transform = ({ query }) => kinds[query['kind'] ?? '']?.()

const circular: Record<string, unknown> = {}
circular['self'] = circular

const kinds: Readonly<Record<string, () => unknown>> = {
  throws: () => {
    throw new Error('secret reason')
  },
  'throws-text': () => {
    throw 'secret reason'
  },
  'throws-nothing': () => {
    throw undefined
  },
  'throws-an-object-without-text': () => {
    throw Object.create(null)
  },
  rejects: () => Promise.reject(new Error('secret reason')),
  'rejects-late': () => pause(10).then(() => Promise.reject(new Error('secret reason'))),
  'returns-nothing': () => undefined,
  'resolves-nothing': () => Promise.resolve(),
  'returns-no-json': () => ({ big: 1n }),
  'returns-a-circle': () => circular,
  'has-a-thenable-that-throws': () => ({
    // oxlint-disable-next-line unicorn/no-thenable -- what a strange library may return
    then() {
      throw new Error('secret reason')
    },
  }),
  hangs: () => new Promise(() => {}),
  null: () => null,
  text: () => 'text',
  list: () => [1, { a: undefined, d: new Date(0) }],
}

export const readsReplies: Transform = (_, { a, b }) => ({ a: (a as { n: number }).n, b: (b as null) ?? 'none' })
