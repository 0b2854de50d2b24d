import { expect } from 'vitest'
import type { Received } from './client.ts'

/** The body of an error answer. */
export interface Problem {
  readonly detail: string
  readonly error?: string
  readonly errors?: readonly Readonly<Record<string, unknown>>[]
}

/** Expects an error answer of the gateway's own, with all that is common to them (behaviour.md), and gives its body. */
export function expectProblem(response: Received, status: number): Problem {
  const { headers } = response
  expect(`${response.status} ${headers['content-type']}`).toBe(`${status} application/problem+json`)
  expect(headers['cache-control']).toBe('no-store')
  expect(headers['proxy-status']).toMatch(/^oneloop;(?:error=[a-z_]+|received-status=[1-5]\d\d)$/)
  expect(headers['x-request-id']).toMatch(/^[\w.:+/=-]{1,128}$/)
  const problem = response.json() as Problem
  expect(problem).toMatchObject({ type: 'about:blank', status, requestId: headers['x-request-id'] })
  expect(problem).toEqual(expect.objectContaining({ title: expect.any(String), detail: expect.any(String) }))
  return problem
}
