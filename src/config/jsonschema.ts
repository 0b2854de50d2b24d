import { z } from 'zod'

import { later } from './later.ts'
import { schema } from './schema.ts'

/** What is used of JSON Schema, draft 2020-12. */
export type JsonSchema = z.core.JSONSchema.BaseSchema

/** What stands in a string that a variable is put into: any value may be such a string. */
const VARIABLE = '\\$\\{'

/** The JSON Schema of what an operator may write, for editors. */
export function jsonSchema(): JsonSchema {
  const written = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' }) as JsonSchema
  return { title: 'Oneloop config', ...finish(written, []) }
}

function finish(node: JsonSchema, path: readonly string[]): JsonSchema {
  const { properties, additionalProperties, items, anyOf } = node
  const key = (name: string, value: JsonSchema): JsonSchema => marked(finish(value, [...path, name]), [...path, name])
  if (anyOf !== undefined) {
    return { ...node, anyOf: distinct(anyOf.flatMap((one) => alternatives(finish(one as JsonSchema, path)))) }
  }
  return variable({
    ...node,
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, value]) => [name, key(name, value as JsonSchema)]),
      ),
    }),
    ...(isSchema(additionalProperties) && { additionalProperties: finish(additionalProperties, [...path, '*']) }),
    ...(isSchema(items) && { items: finish(items, [...path, '*']) }),
  })
}

function marked(node: JsonSchema, path: readonly string[]): JsonSchema {
  const key = path.join('.')
  const values = later.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1))
  const notes = later.includes(key) ? ['Not yet supported.'] : values.map((value) => `Not yet supported: ${value}.`)
  return notes.length === 0 ? node : { ...node, description: [...notes, node.description ?? ''].join(' ') }
}

/** Lets a string with a variable stand where the schema wants something narrower than any string. */
function variable({ format: _, ...node }: JsonSchema): JsonSchema {
  if (node.pattern !== undefined) return { ...node, pattern: `${node.pattern}|${VARIABLE}` }
  if (node.type !== 'integer' && node.type !== 'boolean' && node.enum === undefined) return node
  const { description, default: value, minimum, maximum, ...narrow } = node
  const bounds = {
    ...(minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER && { minimum }),
    ...(maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER && { maximum }),
  }
  return {
    ...(description !== undefined && { description }),
    ...(value !== undefined && { default: value }),
    anyOf: [
      { ...narrow, ...bounds },
      { type: 'string', pattern: VARIABLE },
    ],
  }
}

/** An editor reads one list of alternatives better than lists within lists. */
function alternatives(node: JsonSchema): JsonSchema[] {
  return (node.anyOf as JsonSchema[] | undefined) ?? [node]
}

function distinct(nodes: readonly JsonSchema[]): JsonSchema[] {
  return [...new Map(nodes.map((node) => [JSON.stringify(node), node])).values()]
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
