import { failure } from '../call/failure.ts'
import type { Failure, FailureName } from '../call/failure.ts'
import type { Scope } from '../call/scope.ts'
import { Out, jsonOf } from './out.ts'
import type { Input, Merge, State, Template, Transform, TransformInput } from './plan.ts'
import { type Names, fields } from './read.ts'
import { compileTemplate } from './template.ts'

/** Makes the body of a response from a template. Throws a TemplateFault when the template is faulty. */
export function respondWith(template: Template, names: Names): Merge {
  const node = compileTemplate(template, names)
  return (state) => {
    const out = new Out()
    node.write(state, out)
    return out.whole()
  }
}

/** Carries the failure of a request that ended while its transform was still waiting for something. */
export class MergeEnded extends Error {
  readonly failure: Failure
  constructor(why: FailureName) {
    super(why)
    this.failure = failure(why)
  }
}

/** Makes the body of a response by a function of the operator's. `steps` names the parts, `params` the parameters. */
export function transformWith(transform: Transform, steps: readonly string[], params: readonly string[]): Merge {
  return async (state, scope) => {
    const replies = Object.fromEntries(steps.map((name, place) => [name, state.parts[place]?.own() ?? null]))
    const made = await endedWith(scope, transform(transformInput(state, params), replies))
    if (made === undefined) throw new TypeError('the transform returned nothing')
    return jsonOf(made)
  }
}

function transformInput({ input }: State, params: readonly string[]): TransformInput {
  return {
    params: Object.fromEntries(params.map((name) => [name, input.param(name) ?? ''])),
    query: Object.fromEntries(fields(input.rawQuery)),
    headers: headersOf(input),
    body: input.body,
  }
}

// A view, not a copy: most transforms read one field or none.
function headersOf(input: Input): TransformInput['headers'] {
  return new Proxy({}, { get: (_, name) => (typeof name === 'string' ? input.header(name.toLowerCase()) : undefined) })
}

/** Waits for what a transform returns, but not beyond the end of the request. */
function endedWith(scope: Scope, made: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const watcher = (why: FailureName): void => reject(new MergeEnded(why))
    // Past its deadline a request is answered with what arrived in time, and the transform is still to see that: but
    // it must be done with it at once.
    if (scope.ended === null) scope.watch(watcher)
    else setImmediate(() => scope.watch(watcher))
    Promise.resolve(made)
      .finally(() => scope.unwatch(watcher))
      .then(resolve, reject)
  })
}
