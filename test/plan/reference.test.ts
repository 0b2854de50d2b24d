import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loneRef } from '../../src/plan/read.ts'
import { TemplateFault, parseRef, parseText } from '../../src/plan/reference.ts'

describe('a template string', () => {
  test('without braces is text, also when it is empty', () => {
    expect(parseText('plain ü text')).toEqual(['plain ü text'])
    expect(parseText('')).toEqual([])
  })

  test('is text and references in turn', () => {
    const [before, name, between, status, ...rest] = parseText('Hi {a.name}, {b@status}')
    expect([before, between]).toEqual(['Hi ', ', '])
    expect(name).toMatchObject({ root: 'a', path: ['name'], meta: null, fallback: null, optional: false })
    expect(status).toMatchObject({ root: 'b', path: [], meta: 'status' })
    expect(rest).toEqual([])
  })

  test('has literal braces as {{ and }}', () => {
    expect(parseText('{{}}')).toEqual(['{}'])
    expect(parseText('a {{b}} c')).toEqual(['a {b} c'])
    const [open, ref, close] = parseText('{{{a}}}')
    expect([open, close]).toEqual(['{', '}'])
    expect(ref).toMatchObject({ root: 'a' })
  })

  test('gives back any text whose braces are doubled', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', '{', '}', ' ', 'é') })
    fc.assert(
      fc.property(texts, (text) => {
        expect(parseText(text.replace(/[{}]/g, '$&$&')).join('')).toBe(text)
      }),
    )
  })

  test('is taken apart, or its fault is named, whatever it is', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', '.', '{', '}', '[', ']', "'", '|', '?', '@', ' ') })
    fc.assert(
      fc.property(texts, (text) => {
        expect(faultOf(() => parseText(text)) ?? new TemplateFault('')).toBeInstanceOf(TemplateFault)
      }),
    )
  })

  test.each([
    ['a } b', 'a "}" without "{" in "a } b"; a literal brace is written "}}"'],
    ['a { b', 'a "{" without "}" in "a { b"; a literal brace is written "{{"'],
    ['{}', '"{}" is not a reference'],
    ['{ a }', '"{ a }" is not a reference'],
    ['{a..b}', '"{a..b}" is not a reference'],
    ['{.a}', '"{.a}" is not a reference'],
    ['{a.}', '"{a.}" is not a reference'],
    ['{1a}', '"{1a}" is not a reference'],
    ['{a[0]}', '"{a[0]}" is not a reference'],
    ["{a['b}", '"{a[\'b}" is not a reference'],
    ['{a@body}', '"{a@body}" is not a reference'],
    ['{a?.b}', '"{a?.b}" is not a reference'],
  ])('with a fault, %s, is refused in words that show it', (text, message) => {
    expect(() => parseText(text)).toThrow(TemplateFault)
    expect(() => parseText(text)).toThrow(message)
  })
})

describe('a reference', () => {
  test('has a root and a path of names, numbers and other keys', () => {
    expect(parseRef('step')).toMatchObject({ root: 'step', path: [] })
    expect(parseRef('step.a.0.b-c_d')).toMatchObject({ root: 'step', path: ['a', '0', 'b-c_d'] })
    expect(parseRef('params.*')).toMatchObject({ root: 'params', path: ['*'] })
    expect(parseRef('my-step.größe.$id')).toMatchObject({ root: 'my-step', path: ['größe', '$id'] })
  })

  test("takes odd keys as ['odd.key'], also with what ends a reference elsewhere", () => {
    expect(parseRef("a['odd.key'].b['']")).toMatchObject({ root: 'a', path: ['odd.key', 'b', ''] })
    expect(parseRef("a['x|y'].z|1")).toMatchObject({ path: ['x|y', 'z'], fallback: '1' })
    expect(parseRef("a['what?']?")).toMatchObject({ path: ['what?'], optional: true })
    expect(parseText("{a['}']} {a['{']}")).toMatchObject([{ path: ['}'] }, ' ', { path: ['{'] }])
  })

  test('has a default after |, which may be empty and hold braces, quotes and bars', () => {
    expect(parseRef('a.b|')).toMatchObject({ path: ['b'], fallback: '' })
    expect(parseRef('a|b|c')).toMatchObject({ fallback: 'b|c' })
    expect(parseRef('a|it is ?')).toMatchObject({ fallback: 'it is ?', optional: false })
    expect(parseText('{a|{"b":{"c":[]}}}')).toMatchObject([{ root: 'a', fallback: '{"b":{"c":[]}}' }])
    expect(parseText(`{a|it's} {b|it's}`)).toMatchObject([{ fallback: "it's" }, ' ', { fallback: "it's" }])
  })

  test('is optional when a ? ends it, before a default', () => {
    expect(parseRef('a.b?')).toMatchObject({ path: ['b'], optional: true, fallback: null })
    expect(parseRef('a@headers.etag?')).toMatchObject({ meta: 'headers', path: ['etag'], optional: true })
    expect(parseRef('a?|1')).toMatchObject({ optional: true, fallback: '1' })
  })

  test('keeps how it was written, for messages', () => {
    expect(parseText('x{a.b|1}y')[1]).toMatchObject({ text: 'a.b|1' })
  })

  test('may stand with braces or without them where nothing else may stand', () => {
    expect(loneRef('query.weather')).toMatchObject({ root: 'query', path: ['weather'] })
    expect(loneRef('{query.weather}')).toMatchObject({ root: 'query', path: ['weather'] })
    expect(() => loneRef('{a}{b}')).toThrow('"{a}{b}" must be one reference')
    expect(() => loneRef('x{a}')).toThrow('"x{a}" must be one reference')
    expect(() => loneRef('{{a}}')).toThrow('"{{a}}" must be one reference')
    expect(() => loneRef('')).toThrow(TemplateFault)
  })
})

function faultOf(make: () => unknown): unknown {
  try {
    make()
    return null
  } catch (error) {
    return error
  }
}
