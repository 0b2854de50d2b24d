import { LineCounter, parseDocument, type YAMLError } from 'yaml'

import type { Fault, Place } from './fault.ts'
import { convert } from './convert.ts'
import type { Node } from './tree.ts'

/** Reads YAML or JSON to a tree; after a syntax error there is none, and only that error is told. */
export function readYaml(text: string, file: string): { tree?: Node; faults: Fault[] } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false })
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(1, line), column: Math.max(1, col) }
  }
  const [error] = [...document.errors, ...document.warnings]
  if (error !== undefined) {
    const place = at(error.pos[0])
    return { faults: [{ ...place, message: `YAML: ${wordsOf(error)}${hint(text, place.line)}` }] }
  }
  const faults: Fault[] = []
  const tree = convert(document.contents, at, (place, message) => faults.push({ ...place, message }))
  return { tree, faults }
}

function wordsOf({ code, message }: YAMLError): string {
  return code === 'RESOURCE_EXHAUSTION' ? 'nested too deep' : message
}

function hint(text: string, line: number): string {
  const bare = (text.split(/\r?\n/)[line - 1] ?? '').replace(/"(?:[^"\\]|\\.)*"|'[^']*'|(?:^|\s)#.*/g, '')
  return /[{}]/.test(bare) ? '; a string with a brace needs quotes' : ''
}
