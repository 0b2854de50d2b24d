import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

import { format } from 'prettier'

import { jsonSchema, type JsonSchema } from '../src/config/jsonschema.ts'

/** A file that is made from the schema of the config. */
export interface Generated {
  readonly file: URL
  readonly text: string
}

const INTRODUCTION = `# The configuration

<!-- Generated from src/config/schema.ts by \`npm run docs\`: change it there. -->

One YAML (or JSON) file. Begin it with \`# yaml-language-server: $schema=./gateway.schema.json\`, and an editor completes
and checks it; \`oneloop check\` tells every fault with its file, line and column.

- Durations are written \`250ms\`, \`2s\`, \`5m\`, \`1h\`; sizes \`64KiB\`, \`1MiB\`; shares \`20%\`.
- \`\${NAME}\` and \`\${NAME:-default}\` stand for a variable of the environment, \`\${file:PATH}\` for what a file holds, less
  one final newline. They can stand in every value, a number too. \`$\${\` is a literal \`\${\`.
- A string that has a brace needs quotes inside \`{ }\` and \`[ ]\`, and where it begins with the brace.
- \`NAME\` stands for a name of yours, \`[]\` for each item of a list.
- A file that \`include\` names has only \`upstreams\`, \`routes\` and \`include\`.
`

/** Makes all files that are generated from the schema of the config. */
export async function generate(): Promise<Generated[]> {
  const schema = jsonSchema()
  return [
    await generated('../config/gateway.schema.json', JSON.stringify(schema), 'json'),
    await generated('configuration.md', `${INTRODUCTION}\n${sections(schema).join('\n\n')}\n`, 'markdown'),
  ]
}

async function generated(path: string, text: string, parser: string): Promise<Generated> {
  const file = new URL(path, import.meta.url)
  return { file, text: await format(text, { parser, printWidth: 120, singleQuote: true }) }
}

/** A section for each map of the config, the outermost first; one that says what another said is left out. */
function sections(schema: JsonSchema): string[] {
  const told = new Map<string, string>()
  const made: string[] = []
  visit(schema, 'The file', '')
  return made

  function visit(node: JsonSchema, title: string, path: string): void {
    const inside = [node, ...list(node.anyOf)]
    for (const map of inside.filter((one) => one.properties !== undefined)) {
      const table = tabulate(map, schema, path)
      if (told.has(table)) continue
      told.set(table, title)
      made.push(`## ${title}\n\n${node.description ?? ''}\n\n${table}`)
      for (const [key, value] of properties(map)) visit(value, `\`${path}${key}\``, `${path}${key}.`)
    }
    for (const one of inside) {
      if (isSchema(one.items)) visit(one.items, `\`${path.slice(0, -1)}[]\``, `${path.slice(0, -1)}[].`)
      if (isSchema(one.additionalProperties)) visit(one.additionalProperties, `\`${path}NAME\``, `${path}NAME.`)
    }
  }
}

function tabulate(map: JsonSchema, schema: JsonSchema, path: string): string {
  const required = new Set(map.required)
  const shared = new Map(path === 'upstreams.NAME.' ? properties(schema.properties?.['defaults'] as JsonSchema) : [])
  const rows = properties(map).map(([key, value]) => {
    const fallback = shared.has(key) ? 'that of `defaults`' : written(value.default)
    return `| \`${key}\` | ${type(value)} | ${required.has(key) ? '**required**' : fallback} | ${description(value)} |`
  })
  return ['| key | type | default | what it does |', '|---|---|---|---|', ...rows].join('\n')
}

function description(node: JsonSchema): string {
  return cell(node.description ?? '').replace(/^Not yet supported[^.]*\./, '**$&**')
}

function written(value: unknown): string {
  if (value === undefined || value === '' || JSON.stringify(value) === '{}') return ''
  return code(typeof value === 'string' ? value : JSON.stringify(value))
}

function type(node: JsonSchema): string {
  const names = list(node.anyOf)
    .filter((one) => one.pattern !== '\\$\\{')
    .map(type)
  if (names.length > 0) return [...new Set(names)].join(' or ')
  if (node.title !== undefined) return node.title.includes(' ') ? code(node.title) : node.title
  if (node.enum !== undefined) return node.enum.map((one) => code(String(one))).join(', ')
  if (isSchema(node.items)) return `list of ${type(node.items)}`
  if (node.type === 'object') return 'map'
  if (node.type === 'string') return 'text'
  if (node.type === 'boolean') return '`true`, `false`'
  return node.type === 'integer' ? `number${bounds(node)}` : String(node.type ?? 'JSON')
}

function bounds({ minimum, maximum }: JsonSchema): string {
  if (minimum === undefined) return ''
  return maximum === undefined ? ` ≥ ${minimum}` : ` ${minimum}–${maximum}`
}

function code(text: string): string {
  return `\`${cell(text)}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function properties(node: JsonSchema): [string, JsonSchema][] {
  return Object.entries(node.properties ?? {}) as [string, JsonSchema][]
}

function list(nodes: unknown): JsonSchema[] {
  return (nodes as JsonSchema[] | undefined) ?? []
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const { file, text } of await generate()) writeFileSync(file, text)
}
