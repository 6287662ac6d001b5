import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { canonicalJson } from '../core/digest.ts'
import { BasaltError } from '../errors.ts'
import { exampleManifest } from './example-manifest.ts'
import { parseManifest } from './parse-manifest.ts'
import type { Problem } from './problem-list.ts'
import { manifestSchema } from './schema/manifest-schema.ts'
import { keysAt } from './schema/schemas-at.ts'

function errorOf(text: string): BasaltError | null {
  try {
    canonicalJson(parseManifest(text, 'f'))
    return null
  } catch (error) {
    if (error instanceof BasaltError && error.code === 'manifest.invalid') return error
    throw error
  }
}

/**
 * Nothing, when a text gives either a System that can be frozen, or `manifest.invalid` with facts, remedies and
 * places inside the text; else what is wrong with the error.
 */
function flawsOf(text: string): readonly unknown[] {
  const error = errorOf(text)
  if (error === null) return []
  const problems = error.details['problems'] as readonly Problem[]
  const lines = text.split(/\r\n|\r|\n/).length
  const astray = problems.filter(
    ({ line, column, message, remedy }) =>
      line < 1 || line > lines + 1 || column < 1 || message === '' || remedy === '',
  )
  return problems.length === 0 ? ['an error without a problem'] : astray
}

const knownKeys = [
  [],
  ['services', 'a'],
  ['services', 'a', 'build'],
  ['services', 'a', 'build', 'copy', 0],
  ['services', 'a', 'health'],
  ['services', 'a', 'expose'],
  ['services', 'a', 'limits'],
  ['environments', 'a'],
].flatMap((path) => [...keysAt(manifestSchema, path)])

const image = `sha256:${'0'.repeat(64)}`

const scalars = fc.oneof(
  fc.constantFrom(
    null,
    true,
    80,
    '80/tcp',
    '/up',
    'a',
    'b',
    '2s',
    '64M',
    'debian',
    'scratch',
    'web:/app',
    '*',
    '/',
  ),
  fc.constantFrom(image, 'node server.js', '0644', 'yes', '<<', '', '__proto__', 'constructor'),
  fc.string(),
  fc.double(),
  fc.integer(),
)

/** Trees of the right keys in the wrong places: they come far into the checks. */
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    scalars,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...knownKeys, 'a', 'b'), fc.string()), tie('tree'), {
      maxKeys: 6,
    }),
  ),
}))

describe('parseManifest', () => {
  it('takes any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(flawsOf(text)).toEqual([])
      }),
      { numRuns: 500 },
    )
  })

  it('takes any arrangement of YAML’s own characters', () => {
    const characters = '{ } [ ] , \' " \\ ? \t \r \n \u0000 \ufeff a - : # | > * & ! %'.split(' ')
    const starts = ['b: ', '- ', '&a ', '*a', '<<: ', '!x ', '!!set ', '|\n', '---\n', '...\n', '%YAML 1.1\n']
    const indents = ['\n  ', '\n    ', ' ', 'system: ', 'services:\n  ']
    const piece = fc.constantFrom(...characters, ...starts, ...indents)
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        expect(flawsOf(pieces.join(''))).toEqual([])
      }),
      { numRuns: 1500 },
    )
  })

  it('takes any tree, in any place of a manifest', () => {
    fc.assert(
      fc.property(
        tree,
        tree,
        tree,
        fc.constantFrom(...keysAt(manifestSchema, ['services', 'a'])),
        (one, two, three, key) => {
          const texts = [
            one,
            { system: 'a', services: { a: one, b: two }, environments: three },
            { system: 'a', services: { a: { image, ports: [80, '9/tcp'], [key]: one } } },
            {
              system: 'a',
              services: { a: { build: one, command: ['x'] }, b: { build: { base: 'debian', copy: two } } },
            },
          ].map((manifest) => stringify(manifest))
          expect(texts.flatMap(flawsOf)).toEqual([])
        },
      ),
      { numRuns: 600 },
    )
  })

  it('takes the example with any part cut out or doubled', () => {
    const index = fc.nat({ max: exampleManifest.length })
    fc.assert(
      fc.property(index, index, fc.boolean(), (from, to, isCut) => {
        const [start, end] = from < to ? [from, to] : [to, from]
        const text =
          exampleManifest.slice(0, isCut ? start : end) + exampleManifest.slice(isCut ? end : start)
        expect(flawsOf(text)).toEqual([])
      }),
      { numRuns: 500 },
    )
  })
})

describe('parseManifest: hostile files', () => {
  const laughs = Array.from(
    { length: 12 },
    (_, level) =>
      `x-${level + 1}: &x${level + 1} [${Array.from({ length: 10 }, () => (level === 0 ? 'ha' : `*x${level}`)).join(', ')}]`,
  ).join('\n')

  it.each([
    ['a billion laughs', laughs, /aliases multiply the file/],
    ['a huge file', `# ${'x'.repeat(1024 * 1024)}`, /larger than 1 MiB/],
    ['deep brackets', '['.repeat(1_000_000), /nested too deeply/],
    ['deep braces', '{a: '.repeat(200_000), /nested too deeply/],
    ['deep dashes', '- '.repeat(50_000), /nested too deeply/],
    [
      'deep indentation',
      Array.from({ length: 300 }, (_, level) => `${' '.repeat(level)}a:`).join('\n'),
      /nested too deeply/,
    ],
    ['many tokens', `[${','.repeat(1_000_000)}`, /too many parts/],
    ['many keys', Array.from({ length: 60_000 }, (_, key) => `k${key}:`).join('\n'), /and \d+ more$/],
  ])('%s', (_, text, expected) => {
    expect(() => parseManifest(text, 'f')).toThrow(expected)
  })

  it('keeps the list of mistakes readable', () => {
    const error = errorOf(Array.from({ length: 5000 }, (_, key) => `k${key}:`).join('\n'))
    expect(error?.details['problems']).toHaveLength(100)
    expect(error?.details['total']).toBe(5002)
    expect(error?.message.split('\n')).toHaveLength(102)
  })
})
