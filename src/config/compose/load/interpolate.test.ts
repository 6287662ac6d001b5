import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { interpolate } from './interpolate.ts'

const variables: Readonly<Record<string, string>> = { SET: 'value', EMPTY: '', OTHER: 'other' }
const lookup = (name: string): string | undefined =>
  Object.hasOwn(variables, name) ? variables[name] : undefined

describe('interpolate', () => {
  it.each([
    ['plain', 'plain'],
    ['$SET', 'value'],
    ['a-$SET-b', 'a-value-b'],
    ['${SET}s', 'values'],
    ['$UNSET', ''],
    ['${UNSET}', ''],
    ['$$SET', '$SET'],
    ['$$$SET', '$value'],
    ['$${SET}', '${SET}'],
    ['${SET:-x}', 'value'],
    ['${EMPTY:-x}', 'x'],
    ['${UNSET:-x}', 'x'],
    ['${SET-x}', 'value'],
    ['${EMPTY-x}', ''],
    ['${UNSET-x}', 'x'],
    ['${UNSET:-}', ''],
    ['${SET:+x}', 'x'],
    ['${EMPTY:+x}', ''],
    ['${UNSET:+x}', ''],
    ['${SET+x}', 'x'],
    ['${EMPTY+x}', 'x'],
    ['${UNSET+x}', ''],
    ['${SET:?must}', 'value'],
    ['${EMPTY?must}', ''],
    ['${UNSET:-${OTHER}}', 'other'],
    ['${UNSET:-${EMPTY:-deep}}', 'deep'],
    ['${UNSET:-a}b}', 'ab}'],
    ['${UNSET:-$$}', '$'],
    ['${UNSET:-{}}', '{}'],
    ['${UNSET:-http://x:1/?a=b}', 'http://x:1/?a=b'],
    ['${SET:?${NEVER:?asked}}', 'value'],
  ])('%s is %s', (text, wanted) => {
    expect(interpolate(text, lookup)).toMatchObject({ text: wanted, fault: null })
  })

  it.each([
    ['${UNSET:?set it}', /`UNSET` is required: set it/],
    ['${EMPTY:?}', /`EMPTY` is required$/],
    ['${UNSET?because $SET}', /required: because value/],
    ['cost: $5', /no variable/],
    ['ends with $', /no variable/],
    ['${SET', /not closed/],
    ['${}', /not understood/],
    ['${SET/a/b}', /not understood/],
    ['${1}', /not understood/],
  ])('%s is refused', (text, fact) => {
    const { fault } = interpolate(text, lookup)
    expect(fault?.fact).toMatch(fact)
    expect(fault?.remedy).not.toBe('')
  })

  it('tells which variables were asked for, and which stand for nothing', () => {
    expect(interpolate('$SET ${UNSET} ${GONE:-x} $SET', lookup)).toMatchObject({
      used: ['SET', 'UNSET', 'GONE'],
      unset: ['UNSET'],
    })
  })

  it('leaves a text without a dollar sign alone', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes('$')),
        (text) => {
          expect(interpolate(text, lookup).text).toBe(text)
        },
      ),
    )
  })

  it('gives back any text whose dollar signs are doubled', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(interpolate(text.replaceAll('$', '$$$$'), lookup)).toMatchObject({
          text,
          fault: null,
          used: [],
        })
      }),
    )
  })

  it('puts any value in as it is, without reading it again', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ maxLength: 20 }), (value, around) => {
        const quoted = around.replaceAll('$', '$$$$')
        const filled = interpolate(`${quoted}\${X}${quoted}`, () => value)
        expect(filled.text).toBe(`${around}${value}${around}`)
      }),
    )
  })

  it('answers for every text with a value or a fault', () => {
    const part = fc.constantFrom('$', '{', '}', ':', '-', '?', '+', 'SET', 'UNSET', 'A', '1', ' ', '${')
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
        const { text, fault } = interpolate(parts.join(''), lookup)
        expect(fault === null ? typeof text : typeof fault.remedy).toBe('string')
        expect(fault?.remedy).not.toBe('')
      }),
      { numRuns: 2000 },
    )
  })

  it('is bounded in depth and length', () => {
    const deep = `${'${U:-'.repeat(5000)}x${'}'.repeat(5000)}`
    expect(interpolate(deep, lookup).fault?.fact).toMatch(/nested too deeply/)
    const long = interpolate('$X'.repeat(100), () => 'x'.repeat(1000))
    expect(long.fault?.fact).toMatch(/longer than 64 KiB/)
  })
})
