import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseChallenges } from './challenge.ts'
import { retryAfterMs, waitMs } from './retry-wait.ts'

describe('WWW-Authenticate', () => {
  it.each([
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
      [
        {
          scheme: 'bearer',
          parameters: {
            realm: 'https://auth.docker.io/token',
            service: 'registry.docker.io',
            scope: 'repository:a/b:pull,push',
          },
        },
      ],
    ],
    ['Basic realm="with \\"quotes\\""', [{ scheme: 'basic', parameters: { realm: 'with "quotes"' } }]],
    [
      'Negotiate, BASIC Realm=x, Bearer realm = "y" , service=z',
      [
        { scheme: 'negotiate', parameters: {} },
        { scheme: 'basic', parameters: { realm: 'x' } },
        { scheme: 'bearer', parameters: { realm: 'y', service: 'z' } },
      ],
    ],
    ['', []],
    ['"nonsense"', []],
  ])('%s', (header, challenges) => {
    expect(parseChallenges(header)).toEqual(challenges)
  })

  it('any text is read to its end at once', () => {
    expect(parseChallenges('a="'.repeat(100_000))).toBeInstanceOf(Array)
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '=', '"', '\\', ',', ' ', 'Bearer ') }), (text) => {
        expect(parseChallenges(text)).toBeInstanceOf(Array)
      }),
    )
  })

  const word = fc.stringMatching(/^[a-z]{1,8}$/)
  const value = fc.stringMatching(/^[ -~]{0,20}$/)
  it('any challenge that is written is read', () => {
    fc.assert(
      fc.property(
        word,
        fc.dictionary(word, value, { noNullPrototype: true, minKeys: 1 }),
        (scheme, parameters) => {
          const quoted = Object.entries(parameters).map(
            ([name, text]) => `${name}="${text.replaceAll(/["\\]/g, '\\$&')}"`,
          )
          expect(parseChallenges(`${scheme} ${quoted.join(', ')}`)).toEqual([{ scheme, parameters }])
        },
      ),
    )
  })
})

describe('Retry-After', () => {
  const now = Date.parse('2026-11-25T12:00:00Z')
  it.each([
    ['7', 7000],
    ['Wed, 25 Nov 2026 12:00:30 GMT', 30_000],
    ['Wed, 25 Nov 2026 11:00:00 GMT', 0],
    ['soon', null],
    [undefined, null],
  ])('%s', (text, ms) => {
    expect(retryAfterMs(text, now)).toBe(ms)
  })

  it('is waited for up to two minutes, and never less than without it', () => {
    expect(waitMs(1, { 'retry-after': '120' }, now)).toBe(120_000)
    expect(waitMs(1, { 'retry-after': '121' }, now)).toBeNull()
    expect(waitMs(3, { 'retry-after': '1' }, now)).toBe(4000)
    expect(waitMs(5, {}, now)).toBeNull()
  })
})
