import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import type { Refusal } from './problem.ts'

/** Checks the JSON body of a request; null when it is as the schema wants it. */
export type BodyCheck = (json: unknown) => Refusal | null

/** Compiles a JSON Schema (draft 2020-12). Throws an Error that says what is wrong with the schema. */
export function bodyCheck(schema: unknown): BodyCheck {
  // All faults are told at once; formats are annotations, as the draft has it.
  const validate = new Ajv2020({ allErrors: true, validateFormats: false, strict: false }).compile(schema as object)
  return (json) => {
    if (validate(json)) return null
    const errors = (validate.errors ?? []).slice(0, 20).map(faultOf)
    const [first] = errors
    return { status: 400, detail: `the body is not as it must be: ${first?.pointer} ${first?.detail}`, errors }
  }
}

function faultOf({ instancePath, message, params }: ErrorObject): { pointer: string; detail: string } {
  const extra = typeof params['additionalProperty'] === 'string' ? ` ("${params['additionalProperty']}")` : ''
  return { pointer: `#${instancePath}`, detail: `${message ?? 'is not valid'}${extra}` }
}
