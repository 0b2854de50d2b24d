import { readFileSync } from 'node:fs'

import Ajv from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

import { generate } from '../../docs/generate.ts'
import { jsonSchema } from '../../src/config/jsonschema.ts'
import { ROUTES } from './reading.ts'

const validate = new Ajv.default({ strict: false }).compile(jsonSchema())

test('what is generated from the schema is up to date: else run `npm run docs`', async () => {
  for (const { file, text } of await generate()) expect(readFileSync(file, 'utf8')).toBe(text)
})

test.each(['test/config/example.yaml', 'config/gateway.yaml'])('an editor finds no fault in %s', (file) => {
  validate(parse(readFileSync(file, 'utf8')))
  expect(validate.errors).toBeNull()
})

test.each([
  'listen: { port: "${PORT:-8080}", drain: "${DRAIN}" }',
  'loops: "${LOOPS}"',
  'loops: auto',
  'defaults: { limit: { wait: 5ms }, trusted: "${T}", headers: { x: 1 } }',
])('an editor takes %s', (text) => {
  validate(parse(text + ROUTES))
  expect(validate.errors).toBeNull()
})

test.each([
  'listen: { port: "8080" }',
  'loops: many',
  'defaults: { timout: 2s }',
  'defaults: { timeout: 5 }',
  'bogus: 1',
])('an editor marks %s', (text) => {
  expect(validate(parse(text + ROUTES))).toBe(false)
})

test('every key says what it does', () => {
  const silent = JSON.stringify(jsonSchema(), (_, node) => {
    if (typeof node !== 'object' || node === null || node.properties === undefined) return node
    for (const [key, value] of Object.entries(node.properties)) {
      expect([key, (value as { description?: string }).description ?? '']).not.toEqual([key, ''])
    }
    return node
  })
  expect(silent).toContain('properties')
})
