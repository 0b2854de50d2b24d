import { describe, expect, test } from 'vitest'
import type { Failure } from '../../src/call/failure.ts'
import { failure } from '../../src/call/failure.ts'
import { type Missing, missingField, missingOf, worst } from '../../src/plan/missing.ts'
import { answered, without } from '../../src/plan/part.ts'
import type { Step } from '../../src/plan/plan.ts'
import { reading } from './given.ts'

const answeredWith = (status: number): Failure => ({
  ok: false,
  error: 'unaccepted_status',
  reply: { ok: true, status, headers: {}, body: Buffer.alloc(0) },
})
const timeout = failure('http_response_timeout')
const refused = failure('connection_refused', '10.0.0.7:4101 refused')
const shed = failure('connection_limit_reached')
const unbound: Failure = { ...failure('bind_missing'), from: 'reply', ref: 'a.x' }
const missing = (...failures: Failure[]): Missing[] => failures.map((one, i) => ({ step: `s${i}`, failure: one }))

describe('Oneloop-Missing', () => {
  test('lists each part with its error, the status that came and the number of items, and nothing else', () => {
    const field = missingField(missing(timeout, answeredWith(404), { ...answeredWith(500), items: 2 }, refused))
    expect(field).toBe(
      's0;error=http_response_timeout, s1;error=unaccepted_status;received-status=404, ' +
        's2;error=unaccepted_status;received-status=500;items=2, s3;error=connection_refused',
    )
  })

  test('lists what failed and what was stood in for, in the order of the steps, but not what was skipped', () => {
    const steps = ['failed', 'answered', 'skipped', 'stood-in', 'under-way'].map((name) => ({ name }) as Step)
    const reply = { ok: true, status: 200, headers: {}, body: Buffer.from('1') } as const
    const parts = [
      without(refused, null),
      answered(reply, reading),
      without(null, '{}'),
      without(timeout, '{}'),
      undefined,
    ]
    expect(missingOf(steps, parts)).toEqual([
      { step: 'failed', failure: refused },
      { step: 'stood-in', failure: timeout },
    ])
  })
})

describe('the worst cause', () => {
  test('is 504 before 502 before 503 before 4xx, and of equals the first (F3)', () => {
    expect(worst(missing(answeredWith(404), shed, refused, timeout))?.failure).toBe(timeout)
    expect(worst(missing(answeredWith(404), shed, answeredWith(500), refused))).toMatchObject({ step: 's2' })
    expect(worst(missing(answeredWith(404), answeredWith(503), shed))).toMatchObject({ step: 's1' })
    expect(worst(missing(answeredWith(404), answeredWith(410)))).toMatchObject({ step: 's0' })
    expect(worst([])).toBe(null)
  })

  test('is never that a step could not be called for want of another step’s reply, unless there is no other (F3)', () => {
    expect(worst(missing(unbound, answeredWith(404)))?.failure).toEqual(answeredWith(404))
    expect(worst(missing(unbound))?.failure).toBe(unbound)
  })
})
