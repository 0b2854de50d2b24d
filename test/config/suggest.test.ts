import { expect, test } from 'vitest'

import { suggest } from '../../src/config/suggest.ts'

test.each([
  ['timout', ['timeout', 'transform'], 'timeout'],
  ['maxbody', ['maxBody', 'max'], 'maxBody'],
  ['GTE', ['GET', 'PUT'], 'GET'],
  ['shpo', ['shed', 'shop'], 'shop'],
  ['lops', ['ops', 'loops'], 'loops'],
  ['isten', ['listen', 'steps'], 'listen'],
])('%s is near to one of %j', (word, known, meant) => {
  expect(suggest(word, known)).toBe(`; did you mean "${meant}"?`)
})

test.each([
  ['x', ['limit', 'max']],
  ['colour', ['cache', 'cors']],
  ['anything', []],
])('%s is near to none of %j', (word, known) => {
  expect(suggest(word, known)).toBe('')
})
