import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileTemplate } from '../../src/plan/template.ts'
import { TemplateFault } from '../../src/plan/reference.ts'
import { type Given, namesOf, stateOf, template, written } from './given.ts'

const parsed = (text: string): unknown => JSON.parse(text)

describe('JSON that refers to nothing', () => {
  test('is written as it stands', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const plain = JSON.stringify(value).replace(/[{}$]/g, '_')
        fc.pre(isJson(plain))
        expect(written(template(parsed(plain)))).toBe(JSON.stringify(parsed(plain)))
      }),
    )
  })

  test('is compiled to one text, made once', () => {
    const node = compileTemplate(template({ a: [1, { b: 'x' }], c: null }), namesOf())
    expect(node.fixed).toBe('{"a":[1,{"b":"x"}],"c":null}')
    expect(compileTemplate(template({ a: ['{a}'] }), namesOf({ replies: { a: '1' } })).fixed).toBe(undefined)
  })

  test('has literal braces where they are doubled', () => {
    expect(written('{{a}}')).toBe('"{a}"')
  })
})

describe('a string that is one reference', () => {
  test('stands for the JSON value, whatever its kind', () => {
    const given: Given = { replies: { a: '{"n":1.5,"t":"x","b":true,"o":{"k":[]},"l":[1,null]}' } }
    const made = written(template({ n: '{a.n}', t: '{a.t}', b: '{a.b}', o: '{a.o}', l: '{a.l}' }), given)
    expect(made).toBe('{"n":1.5,"t":"x","b":true,"o":{"k":[]},"l":[1,null]}')
  })

  test('splices a whole reply as it came: its spaces, its big numbers, its escapes, its order of keys', () => {
    const reply = ' { "id" : 12345678901234567890.10 ,\n "t":"\\u00fc\\/ü", "2":2,"1":1, "e":1E400 }\r\n'
    expect(written('{a}', { replies: { a: reply } })).toBe(reply)
    expect(written(template({ a: '{a}', b: ['{a}', '{a}'] }), { replies: { a: reply } })).toBe(
      `{"a":${reply},"b":[${reply},${reply}]}`,
    )
  })

  test('is null where the step has failed, and where there is no such key', () => {
    const given: Given = { replies: { a: null, b: '{}' } }
    expect(written(template({ a: '{a}', x: '{a.x}', b: '{b.x.y}' }), given)).toBe('{"a":null,"x":null,"b":null}')
  })

  test('has its default where there is no value, a JSON literal as what it means', () => {
    const given: Given = { replies: { a: '{"n":null}', b: null } }
    const made = written(template({ n: '{a.n|0}', l: '{a.l|[]}', o: '{b|{"k":1}}', t: '{a.t|text}' }), given)
    expect(made).toBe('{"n":0,"l":[],"o":{"k":1},"t":"text"}')
  })

  test('leaves its key out with ? where there is no value, but not where the value is null', () => {
    const given: Given = { replies: { a: '{"n":null,"x":1}', b: null, c: 'null' } }
    const made = written(
      template({ x: '{a.x?}', n: '{a.n?}', y: '{a.y?}', b: '{b?}', c: '{c?}', deep: '{b.x?}' }),
      given,
    )
    expect(made).toBe('{"x":1,"n":null,"c":null}')
    expect(written(template({ only: '{b?}' }), given)).toBe('{}')
    expect(written(template({ o: { only: '{b?}' }, l: ['{b?}'] }), given)).toBe('{"o":{},"l":[null]}')
  })
})

describe('a string of text and references', () => {
  const given: Given = { replies: { a: '{"n":1,"t":"x","b":false,"o":{"k":[1]},"nil":null}' } }

  test('is text, in which other JSON stands as JSON', () => {
    expect(written('<{a.n}|{a.t}|{a.b}|{a.o}>', given)).toBe(JSON.stringify('<1|x|false|{"k":[1]}>'))
    expect(written('{a.t}{a.t}', given)).toBe('"xx"')
  })

  test('is null when one of its values is absent or null', () => {
    expect(written('{a.t} and {a.nil}', given)).toBe('null')
    expect(written('{a.nothing}!', given)).toBe('null')
  })

  test('takes a default as text', () => {
    expect(written('{a.t}/{a.nil|"0"}', given)).toBe(JSON.stringify('x/"0"'))
  })

  test('leaves its key out when a value of it that has a ? is absent', () => {
    expect(written(template({ a: 'x {a.nothing?}', b: 'x {a.nothing}', c: 'x {a.t?}' }), given)).toBe(
      '{"b":null,"c":"x x"}',
    )
  })
})

describe('an object', () => {
  test('keeps the order of its keys as written, also of those that look like numbers', () => {
    const odd = new Map([
      ['z', '{a.x}'],
      ['10', '{a.x}'],
      ['2', 'two'],
      ['', '{a}'],
      ['"quoted" ü', '{a.x}'],
    ])
    const given: Given = { replies: { a: '{"x":1}' } }
    expect(written(odd, given)).toBe('{"z":1,"10":1,"2":"two","":{"x":1},"\\"quoted\\" ü":1}')
    const fixed = new Map([
      ['2', 1],
      ['1', 2],
    ])
    expect(written(new Map([['all', fixed]]))).toBe('{"all":{"2":1,"1":2}}')
  })

  test('may have keys that mean something to JavaScript', () => {
    const odd = new Map([
      ['constructor', '{a.x}'],
      ['toJSON', '{a.x}'],
    ])
    expect(written(odd, { replies: { a: '{"x":1}' } })).toBe('{"constructor":1,"toJSON":1}')
  })
})

test('the same replies give the same bytes', () => {
  const each = (items: readonly unknown[]) => items.map((item, at) => ({ item, at }))
  const made = template({
    all: '{a}',
    each: { $each: '{a}', as: { item: '{item}', at: '{index}' } },
    joined: { $concat: ['{a}', '{b}'] },
  })
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.array(fc.jsonValue()), (a, b) => {
      const given: Given = { replies: { a: JSON.stringify(a), b: JSON.stringify(b) } }
      const once = written(made, given)
      expect(written(made, given)).toBe(once)
      expect(parsed(once)).toEqual(parsed(JSON.stringify({ all: a, each: each(a), joined: [...a, ...b] })))
    }),
  )
})

describe('$each', () => {
  const given: Given = { replies: { a: '{"list":[{"n":"x","in":[1,2]},{"n":"y","in":[]}],"nil":null,"text":"t"}' } }

  test('maps an array, with the item and its place', () => {
    const made = written(
      template({ $each: '{a.list}', as: { name: '{item.n}', at: '{index}', t: '{index}:{item.n}' } }),
      given,
    )
    expect(made).toBe('[{"name":"x","at":0,"t":"0:x"},{"name":"y","at":1,"t":"1:y"}]')
  })

  test('within $each maps the array of each item, with an item of its own', () => {
    const inner = { $each: '{item.in}', as: ['{index}', '{item}'] }
    expect(written(template({ $each: '{a.list}', as: { n: '{item.n}', in: inner } }), given)).toBe(
      '[{"n":"x","in":[[0,1],[1,2]]},{"n":"y","in":[]}]',
    )
  })

  test('is null over null, over nothing and over what is not an array', () => {
    const refs = ['{a.nil}', '{a.nothing}', '{a.text}', '{a}']
    const made = refs.map((ref) => written(template({ x: { $each: ref, as: 1 } }), given))
    expect(made).toEqual(refs.map(() => '{"x":null}'))
  })

  test('takes a default, and gives null for an item without the value', () => {
    expect(written(template({ $each: '{a.nothing|[1]}', as: '{item}' }), given)).toBe('[1]')
    expect(written(template({ $each: '{a.list}', as: '{item.x?}' }), given)).toBe('[null,null]')
  })

  test('may read steps and the request inside', () => {
    const made = template({ $each: '{a.list}', as: '{item.n} {query.lang} {a.text}' })
    expect(written(made, { ...given, query: 'lang=en' })).toBe('["x en t","y en t"]')
  })
})

describe('$concat and $spread', () => {
  const given: Given = {
    replies: { a: '{"l":[1,[2]],"o":{"x":1,"y":2}}', b: '{"l":[3],"o":{"y":3,"z":4}}', gone: null },
  }

  test('$concat joins arrays in the order written, literal ones too', () => {
    expect(written(template({ $concat: ['{b.l}', '{a.l}', [0, '{a.o.x}']] }), given)).toBe('[3,1,[2],0,1]')
    expect(written(template({ $concat: [] }), given)).toBe('[]')
  })

  test('$concat skips what is null, absent or failed', () => {
    expect(written(template({ $concat: ['{gone}', '{a.l}', '{a.nothing}', null] }), given)).toBe('[1,[2]]')
    expect(written(template({ $concat: ['{gone}'] }), given)).toBe('[]')
  })

  test('$spread joins objects, and the later wins in the place of the first', () => {
    expect(written(template({ $spread: ['{a.o}', '{b.o}', { w: '{a.l}', x: null }] }), given)).toBe(
      '{"x":null,"y":3,"z":4,"w":[1,[2]]}',
    )
  })

  test('$spread skips what is null, absent or failed', () => {
    expect(written(template({ $spread: ['{gone}', '{a.o}', '{a.nothing}', null] }), given)).toBe('{"x":1,"y":2}')
    expect(written(template({ $spread: [] }), given)).toBe('{}')
  })

  test('may stand in each other and in $each', () => {
    const inner = { $spread: [{ n: '{item}' }, '{a.o}'] }
    expect(written(template({ $concat: [{ $each: '{b.l}', as: inner }, [{ $concat: ['{b.l}'] }]] }), given)).toBe(
      '[{"n":3,"x":1,"y":2},[3]]',
    )
  })
})

test.each([
  [{ $eech: '{a}', as: 1 }, 'unknown "$eech"; did you mean "$each"?'],
  [{ $each: '{a}' }, '$each needs "as": what to make of each item'],
  [{ $each: ['{a}'], as: 1 }, '$each needs one reference to an array'],
  [{ $each: 'x{a}', as: 1 }, '"x{a}" must be one reference'],
  [{ $each: '{a}', as: 1, more: 2 }, '"more" cannot stand beside $each'],
  [{ $concat: '{a}' }, '$concat needs a list'],
  [{ $concat: ['{a}'], as: 1 }, '"as" cannot stand beside $concat'],
  [{ $spread: ['{a}'], x: 1 }, '"x" cannot stand beside $spread'],
  [{ deep: [{ er: '{b}' }] }, 'no step "b"'],
  ['{item}', '{item} means something only within an each'],
])('a faulty template is refused in words that name the fault: %j', (faulty, message) => {
  const names = namesOf({ replies: { a: '[]' } })
  expect(() => compileTemplate(template(faulty), names)).toThrow(TemplateFault)
  expect(() => compileTemplate(template(faulty), names)).toThrow(message)
})

test('a template with several faults tells them all, each with its place', () => {
  const faulty = template({
    a: '{x}',
    list: [1, '{y.z}', { $each: '{z}', as: { w: '{item.w}', v: '{v}' } }],
    sum: { $spread: ['{a}', { b: '}' }] },
  })
  const faults = (): unknown => {
    try {
      return compileTemplate(faulty, namesOf({ replies: { a: '[]' } }))
    } catch (error) {
      return (error as TemplateFault).faults.map(({ path, message }) => `${path.join('.')}: ${message}`)
    }
  }
  expect(faults()).toEqual([
    'a: no step "x"; did you mean "a"?',
    'list.1: no step "y"; did you mean "a"?',
    'list.2.$each: no step "z"; did you mean "a"?',
    'list.2.as.v: no step "v"; did you mean "a"?',
    'sum.$spread.1.b: a "}" without "{" in "}"; a literal brace is written "}}"',
  ])
})

describe("a call's body", () => {
  test('leaves out the keys whose value is absent, and keeps those that are null', () => {
    const given: Given = { body: '{"a":1,"nil":null}', replies: { s: null } }
    const made = template({
      a: '{body.a}',
      b: '{body.b}',
      n: '{body.nil}',
      t: 'x {body.b}',
      s: '{s}',
      o: { b: '{body.b}' },
    })
    expect(written(made, given, true)).toBe('{"a":1,"n":null,"o":{}}')
  })

  test('keeps the places of an array, and leaves out an $each over nothing', () => {
    const given: Given = { body: '{"l":[{"x":1},{}]}' }
    const each = { $each: '{body.l}', as: { x: '{item.x}' } }
    const made = template({ l: ['{body.b}', '{body.l.0.x}'], each, none: { $each: '{body.none}', as: 1 } })
    expect(written(made, given, true)).toBe('{"l":[null,1],"each":[{"x":1},{}]}')
  })
})

test('a value and what is written of it are the same, so that what is joined is what would have stood alone', () => {
  const given: Given = { replies: { a: '{"l":[{"n":1},null]}', gone: null } }
  const made = template({
    x: '{a.l}',
    y: { $each: '{a.l}', as: '{item.n}' },
    g: '{gone}',
    h: ['{gone?}'],
    o: '{a.no?}',
  })
  const value = compileTemplate(made, namesOf(given)).value(stateOf(given))
  expect(Object.fromEntries(value as Map<string, unknown>)).toEqual(parsed(written(made, given)))
})

function isJson(text: string): boolean {
  try {
    parsed(text)
    return true
  } catch {
    return false
  }
}
