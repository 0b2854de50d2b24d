import { expect, test } from 'vitest'

import { folder } from './reading.ts'

const upstream = (name: string): string => `{ ${name}: { endpoints: ["http://${name}"] } }`
const route = (path: string, name: string): string => `[ { match: GET ${path}, forward: ${name} } ]`

test('included files add upstreams and routes, those of the file itself first', async () => {
  using files = folder({
    'gateway.yaml': `include: [other.yaml, teams/*.yaml]\nupstreams: ${upstream('a')}\nroutes: ${route('/a', 'a')}`,
    'other.yaml': `upstreams: ${upstream('b')}\nroutes: ${route('/b', 'b')}\ninclude: [deep/more.yaml]`,
    'deep/more.yaml': `routes: ${route('/more', 'c')}`,
    'teams/d.yaml': `upstreams: ${upstream('d')}`,
    'teams/c.yaml': `include: [../deep/more.yaml]\nupstreams: ${upstream('c')}\nroutes: ${route('/c', 'c')}`,
  })
  const { config, faults, files: read } = await files.load('gateway.yaml')
  expect(faults).toEqual([])
  expect(Object.keys(config?.upstreams ?? {})).toEqual(['a', 'b', 'c', 'd'])
  expect(config?.routes.map(({ name }) => name)).toEqual(['GET /a', 'GET /b', 'GET /more', 'GET /c'])
  expect(read).toEqual(['deep/more.yaml', 'gateway.yaml', 'other.yaml', 'teams/c.yaml', 'teams/d.yaml'])
})

test('faults are told in the file that has them', async () => {
  using files = folder({
    'gateway.yaml': `include: [b.yaml]\nupstreams: ${upstream('a')}\nroutes: ${route('/a', 'a')}`,
    'b.yaml': `listen: {}\nrouts: []\nupstreams: ${upstream('a')}\nroutes:\n  - { match: GET /b, forward: a, nmae: x }`,
  })
  expect((await files.load('gateway.yaml')).faults).toEqual([
    'b.yaml:1:1: unknown key "listen" in an included file, which has routes, upstreams, include',
    'b.yaml:2:1: unknown key "routs" in an included file, which has routes, upstreams, include; did you mean "routes"?',
    'b.yaml:3:14: the upstream "a" is in another file already',
    'b.yaml:5:34: unknown key "nmae"; did you mean "name"?',
  ])
})

test('a missing file is a fault, the rest is judged, and meaning is told that names may be missing', async () => {
  using files = folder({
    'gateway.yaml': `include: [no.yaml, "no/*.yaml"]\nloops: x\nroutes: ${route('/a', 'a')}`,
  })
  let whole: boolean | undefined
  const { faults, warnings } = await files.load('gateway.yaml', {
    meaning: (_, declared) => {
      whole = declared.whole
      return []
    },
  })
  expect(faults).toEqual([
    'gateway.yaml:1:11: "no.yaml" cannot be read: no such file',
    'gateway.yaml:2:8: expected a number of loops, or auto',
  ])
  expect(warnings).toEqual(['gateway.yaml:1:20: no file matches "no/*.yaml"'])
  expect(whole).toBe(false)
})

test('files that include each other are told', async () => {
  using files = folder({
    'gateway.yaml': `include: [b.yaml]\nupstreams: ${upstream('a')}\nroutes: ${route('/a', 'a')}`,
    'b.yaml': 'include:\n  - gateway.yaml\n  - b.yaml\n',
  })
  expect((await files.load('gateway.yaml')).faults).toEqual([
    'b.yaml:2:5: "gateway.yaml" includes this file: files cannot include each other',
    'b.yaml:3:5: "b.yaml" includes this file: files cannot include each other',
  ])
})

test('of a syntax error in each file, each is told, and nothing else', async () => {
  using files = folder({
    'gateway.yaml': 'include: [b.yaml, c.yaml]\nbogus: 1',
    'b.yaml': 'a: [',
    'c.yaml': 'a: {x}y',
  })
  const { faults } = await files.load('gateway.yaml')
  expect(faults.map((line) => line.slice(0, 14))).toEqual(['b.yaml:1:5: YA', 'c.yaml:1:7: YA'])
})

test('what is of the wrong type is told where it stands', async () => {
  using files = folder({
    'gateway.yaml': `include: [b.yaml, 5, c.yaml]\nupstreams: ${upstream('a')}\nroutes: ${route('/a', 'a')}`,
    'b.yaml': 'include: c.yaml\nroutes: {}\nupstreams: []',
    'c.yaml': '- x',
  })
  expect((await files.load('gateway.yaml')).faults).toEqual([
    'b.yaml:1:10: expected a list of files such as [other.yaml, teams/*.yaml]',
    'b.yaml:2:9: expected a list',
    'b.yaml:3:12: expected a map',
    'c.yaml:1:1: expected a map with upstreams, routes or include',
    'gateway.yaml:1:19: expected a file such as other.yaml, or teams/*.yaml',
  ])
})

test('a config that cannot be read is one fault that names it', async () => {
  using files = folder({ 'folder/x': '' })
  expect((await files.load('no.yaml')).faults).toEqual(['no.yaml:1:1: cannot be read: no such file'])
  expect((await files.load('folder')).faults).toEqual(['folder:1:1: cannot be read: it is a directory'])
})
