import { expect, test } from 'vitest'
import { isSampled, renewed, spanOf, traceOf, traceparent } from '../../src/call/trace.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const given = `00-${traceId}-b7ad6b7169203331-01`
const never = () => false

test('a trace that is named is continued with a span of its own, sampled or not as its sender says', () => {
  const trace = traceOf({ traceparent: given }, never)
  expect(trace).toMatchObject({ traceId, parentSpanId: 'b7ad6b7169203331', flags: '01' })
  expect(trace.spanId).toMatch(/^[0-9a-f]{16}$/)
  expect(trace.spanId).not.toBe(trace.parentSpanId)
  expect(isSampled(trace)).toBe(true)
  expect(isSampled(traceOf({ traceparent: given.replace(/01$/, '00') }, () => true))).toBe(false)
})

test('flags that are not known are not passed on, and of a later version what the first has is read', () => {
  expect(traceOf({ traceparent: given.replace(/01$/, 'ff') }, never).flags).toBe('03')
  expect(traceOf({ traceparent: `cc${given.slice(2)}-what-may-come` }, never).traceId).toBe(traceId)
})

test.each([
  undefined,
  'junk',
  `${given}-x`,
  `ff${given.slice(2)}`,
  given.toUpperCase(),
  `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
  `00-${traceId}-${'0'.repeat(16)}-01`,
])('with the traceparent %s a trace begins, sampled as we like', (wrong) => {
  const trace = traceOf({ traceparent: wrong, tracestate: 'a=b', baggage: 'c=d' }, () => true)
  expect(trace).toMatchObject({ parentSpanId: null, flags: '01', state: null, baggage: 'c=d' })
  expect(trace.traceId).toMatch(/^(?!0af7651916|0{32})[0-9a-f]{32}$/)
  expect(traceOf({ traceparent: wrong }, never).flags).toBe('00')
})

test('what hangs on a trace is passed on if it is harmless and not longer than W3C asks for', () => {
  const state = (tracestate: string | string[]) => traceOf({ traceparent: given, tracestate }, never).state
  expect(state('a=b')).toBe('a=b')
  expect(state(['a=b', 'c=d'])).toBe('a=b,c=d')
  expect(state('x'.repeat(513))).toBeNull()
  expect(state('a\u0001')).toBeNull()
  expect(traceOf({ baggage: 'x'.repeat(8_193) }, never).baggage).toBeNull()
})

test('each span of a trace has an id of its own', () => {
  const trace = traceOf({ traceparent: given }, never)
  const first = traceparent(trace)
  const again = renewed(first)
  expect(new Set([spanOf(first), spanOf(again), trace.spanId]).size).toBe(3)
  expect(again.replace(spanOf(again), spanOf(first))).toBe(first)
})
