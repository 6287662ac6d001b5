import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Digest } from '../core/ids.ts'
import { BasaltError } from '../errors.ts'
import { formatReference, type ImageReference, parseReference } from './reference.ts'

const digest: Digest = `sha256:${'0a'.repeat(32)}`

/** From the table of distribution/reference (normalize_test.go, reference_test.go): what Docker makes of each. */
const read: readonly (readonly [string, string])[] = [
  ['nginx', 'docker.io/library/nginx:latest'],
  ['nginx:1.25', 'docker.io/library/nginx:1.25'],
  ['docker.io/nginx', 'docker.io/library/nginx:latest'],
  ['index.docker.io/nginx:1', 'docker.io/library/nginx:1'],
  ['team/web', 'docker.io/team/web:latest'],
  ['localhost/web:2', 'localhost/web:2'],
  ['localhost:5000/web', 'localhost:5000/web:latest'],
  ['127.0.0.1:5000/team/web', '127.0.0.1:5000/team/web:latest'],
  ['[::1]:5000/web:1', '[::1]:5000/web:1'],
  ['[2001:db8::1]/web', '[2001:db8::1]/web:latest'],
  ['Registry/web', 'Registry/web:latest'],
  ['example.com/a/b/c:V1_x.y-z', 'example.com/a/b/c:V1_x.y-z'],
  ['a__b/c.d/e---f', 'docker.io/a__b/c.d/e---f:latest'],
  [`nginx@${digest}`, `docker.io/library/nginx@${digest}`],
  [`nginx:1.25@${digest}`, `docker.io/library/nginx:1.25@${digest}`],
  ['web:5000', 'docker.io/library/web:5000'],
]

const refused: readonly (readonly [string, RegExp])[] = [
  ['', /names no repository/],
  [':latest', /names no repository/],
  ['nginx:', /tag/],
  ['nginx:-x', /tag/],
  [`nginx:${'t'.repeat(129)}`, /tag/],
  ['Nginx', /lower case/],
  ['example.com/Team/web', /lower case/],
  ['example.com/', /names no repository/],
  ['example.com:port/web', /host name/],
  ['-bad.example/web', /host name/],
  ['a..b/c', /host name/],
  ['a//b', /no repository/],
  ['a/../b', /no repository/],
  ['web/', /no repository/],
  ['we b', /no repository/],
  ['a___b', /no repository/],
  ['nginx@sha256:12', /digest/],
  [`nginx@sha512:${'0'.repeat(128)}`, /digest/],
  ['nginx@', /digest/],
  ['0'.repeat(64), /id of an image/],
  [`example.com/${'a'.repeat(255)}`, /longer than 255/],
]

describe('references', () => {
  it.each(read)('%s means %s', (text, full) => {
    expect(formatReference(parseReference(text))).toBe(full)
  })

  it.each(refused)('refuses %j', (text, reason) => {
    expect(mistakeOf(text)).toMatchObject({ code: 'image.reference-invalid', details: { reference: text } })
    expect(mistakeOf(text).message).toMatch(reason)
  })

  it('any reference, written out, is read as the same', () => {
    fc.assert(
      fc.property(reference, (given) => {
        expect(parseReference(formatReference(given))).toEqual(given)
      }),
    )
  })

  it('any text is read as a reference that reads as itself again, or refused by name', () => {
    expect.hasAssertions()
    const character = fc.constantFrom('a', 'Z', '0', '.', '/', ':', '@', '_', '-', ' ', '[', ']', '\n', 'é')
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: character }), fc.string()), (text) => {
        const parsed = parsedOrRefused(text)
        expect(parsed === null ? null : parseReference(formatReference(parsed))).toEqual(parsed)
      }),
      { numRuns: 2000 },
    )
  })

  it('reads the longest nonsense at once', () => {
    for (const unit of ['a.', 'a-', '-', 'a/', '0:', '@'])
      expect(mistakeOf(`${unit.repeat(100_000)}!`).code).toBe('image.reference-invalid')
  })
})

const word = fc.stringMatching(/^[a-z0-9]{1,8}$/)
const component = fc
  .array(fc.tuple(word, fc.constantFrom('.', '_', '__', '-', '---')), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.map(([text, separator], index) => (index === 0 ? '' : separator) + text).join(''))
const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
const port = fc.option(fc.nat(65_535), { nil: null })
const host = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc
    .ipV6()
    .filter((address) => !address.includes('.'))
    .map((address) => `[${address}]`),
  fc.constant('localhost'),
)
const registry = fc.tuple(host, port).map(([name, number]) => (number === null ? name : `${name}:${number}`))
const named: fc.Arbitrary<Pick<ImageReference, 'registry' | 'repository'>> = fc.oneof(
  fc.record({ registry, repository: path }),
  component.map((name) => ({ registry: 'docker.io', repository: `library/${name}` })),
)
const reference: fc.Arbitrary<ImageReference> = fc
  .record({
    named,
    tag: fc.option(fc.stringMatching(/^\w[\w.-]{0,20}$/), { nil: null }),
    digest: fc.option(
      fc.stringMatching(/^[0-9a-f]{64}$/).map((hex): Digest => `sha256:${hex}`),
      { nil: null },
    ),
  })
  .map(({ named: name, tag, digest: exact }) => ({
    ...name,
    tag: tag === null && exact === null ? 'latest' : tag,
    digest: exact,
  }))

/** Null where it was refused as it shall be. */
function parsedOrRefused(text: string): ImageReference | null {
  try {
    return parseReference(text)
  } catch (error) {
    if (error instanceof BasaltError && error.code === 'image.reference-invalid') return null
    throw error
  }
}

function mistakeOf(text: string): BasaltError {
  try {
    parseReference(text)
  } catch (error) {
    if (error instanceof BasaltError) return error
    throw error
  }
  throw new Error(`${JSON.stringify(text)} was taken`)
}
