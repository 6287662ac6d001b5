import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { BasaltError } from '../../errors.ts'
import type { Problem } from '../problem-list.ts'
import { imported } from './imported.fixture.ts'
import { serviceRules } from './rules/service-rules.ts'
import { topLevelRules } from './rules/top-level-rules.ts'

let imports = 0

/** Nothing when a text becomes a valid manifest or is refused with places; else what is wrong. */
async function flawOf(text: string, dotenv = ''): Promise<string | null> {
  try {
    const { rows } = await imported(
      text,
      { '.env': dotenv, 'a.env': dotenv, Dockerfile: dotenv },
      { SET: '80' },
    )
    imports++
    return rows.every(({ text, line, column }) => text !== '' && line > 0 && column > 0)
      ? null
      : 'a row is empty'
  } catch (error) {
    if (!(error instanceof BasaltError) || error.code !== 'compose.invalid') throw error
    const problems = (error.details['problems'] ?? []) as readonly Problem[]
    return problems.every(({ line, column, remedy }) => line > 0 && column > 0 && remedy !== '')
      ? null
      : 'a mistake has no place or remedy'
  }
}

const texts = fc.constantFrom(
  'a',
  'b',
  'app:1',
  'nginx',
  '8080:80',
  '127.0.0.1:80:80',
  '90-92:80-82',
  '80/udp',
  'a:/data',
  './src:/app',
  '/tmp',
  '/tmp/x',
  '/run/a:/var/lib/x',
  'CMD',
  'NONE',
  'curl -f http://localhost/',
  'x=y',
  'PASSWORD=x',
  '5s',
  '64m',
  '0.5',
  '2',
  '0',
  'true',
  'false',
  '$SET',
  '${SET:-x}',
  '${UNSET}',
  '$$',
  '${',
  '',
  'a.env',
  '.',
  '../x',
  'host',
  'SIGTERM',
  'NET_ADMIN',
  'ALL',
  'service_healthy',
  'http://b:90/',
  'tmpfs',
  'bind',
  'volume',
  '1000:1000',
  'sh -c "x',
  '\u0007',
)
const scalars = fc.oneof(
  { weight: 8, arbitrary: texts },
  fc.string(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
)

/** A value that a key may have, by its rule; now and then one that it may not. */
const valueFor = (key: string): fc.Arbitrary<unknown> => {
  const rule = serviceRules[key]
  const keys = Object.keys(rule?.keys ?? {})
  const names = rule?.named === true || keys.length === 0 ? ['a', 'b', 'X_Y', 'PASSWORD'] : keys
  const inner = keys.length > 0 ? keys : names
  const block = fc.dictionary(
    fc.constantFrom(...inner),
    fc.oneof(scalars, fc.array(scalars, { maxLength: 3 })),
    {
      maxKeys: 4,
    },
  )
  const item = keys.length > 0 ? fc.oneof(scalars, block) : scalars
  const shapes: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
    text: scalars,
    list: fc.array(item, { maxLength: 4 }),
    map: rule?.named === true ? fc.dictionary(fc.constantFrom(...names), block, { maxKeys: 3 }) : block,
  }
  return fc.oneof(...(rule?.shapes ?? ['text']).map((shape) => shapes[shape] ?? scalars))
}

const service = fc
  .uniqueArray(fc.constantFrom(...Object.keys(serviceRules)), { maxLength: 8 })
  .chain((keys) => fc.record(Object.fromEntries([...keys, 'image'].map((key) => [key, valueFor(key)]))))
  .map((block) => ({ ...block, image: typeof block['image'] === 'string' ? 'app:1' : 'app:2' }))
const project = fc.record({
  services: fc.dictionary(fc.constantFrom('a', 'b', 'c_d', 'localhost'), service, { minKeys: 1, maxKeys: 3 }),
  volumes: fc.constant({ a: null, x: {} }),
})

describe('importCompose', { timeout: 60_000 }, () => {
  it('makes a valid manifest of projects, or says where they are wrong', async () => {
    imports = 0
    await fc.assert(
      fc.asyncProperty(project, async (content) => {
        const text = stringify(content)
        expect(await flawOf(text)).toBeNull()
      }),
      { numRuns: 600 },
    )
    // A test of refusals alone would say little of what is written.
    expect(imports).toBeGreaterThan(100)
  })

  it('answers for trees of known keys in wrong places', async () => {
    const keys = fc.constantFrom(
      ...Object.keys(serviceRules),
      ...Object.keys(topLevelRules),
      '<<',
      'x-a',
      '__proto__',
    )
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'medium' },
        scalars,
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(keys, tie('tree'), { maxKeys: 4 }),
      ),
    }))
    await fc.assert(
      fc.asyncProperty(tree, async (content) => {
        expect(await flawOf(stringify(content) ?? '')).toBeNull()
      }),
      { numRuns: 400 },
    )
  })

  it('answers for any text, as Compose file and as environment file', async () => {
    const piece = fc.constantFrom(
      'services:',
      '\n',
      '  ',
      'a:',
      ' ',
      '- ',
      '[',
      '}',
      '&x',
      '*x',
      '<<:',
      '"',
      '$',
      '#',
      'image: b',
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 25 }).map((parts) => parts.join('')),
    )
    await fc.assert(
      fc.asyncProperty(text, text, async (compose, dotenv) => {
        expect(await flawOf(compose, dotenv)).toBeNull()
        expect(await flawOf('services: { a: { build: ., env_file: a.env } }', dotenv)).toBeNull()
      }),
      { numRuns: 400 },
    )
  })
})
