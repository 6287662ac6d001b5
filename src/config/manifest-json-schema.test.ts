import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { exampleManifest } from './example-manifest.ts'
import { manifestJsonSchema, manifestJsonSchemaText } from './manifest-json-schema.ts'
import { manifestReference } from './manifest-reference.ts'

const repository = join(import.meta.dirname, '../..')
const validate = new Ajv({ strict: false, allErrors: true }).compile(manifestJsonSchema())

interface Node {
  readonly description?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly items?: Node
  readonly anyOf?: readonly Node[]
  readonly additionalProperties?: Node | boolean
}

/** Keys that an editor would show without a word. */
function undescribed(node: Node, path = ''): readonly string[] {
  const own = Object.entries(node.properties ?? {}).flatMap(([key, child]) => [
    ...(child.description === undefined ? [`${path}.${key}`] : []),
    ...undescribed(child, `${path}.${key}`),
  ])
  const inner = [node.items, ...(node.anyOf ?? []), node.additionalProperties].filter(
    (child): child is Node => typeof child === 'object',
  )
  return [...own, ...inner.flatMap((child) => undescribed(child, `${path}[]`))]
}

describe('the JSON Schema', () => {
  it('is the published one', () => {
    expect(readFileSync(join(repository, 'schema/basalt.schema.json'), 'utf8')).toBe(manifestJsonSchemaText())
  })

  it('describes every key', () => {
    expect(undescribed(manifestJsonSchema() as Node)).toEqual([])
  })

  it('accepts the example, examples/shop, `x-` keys and bare environments', () => {
    const shop: unknown = parse(readFileSync(join(repository, 'examples/shop/basalt.yaml'), 'utf8'))
    for (const manifest of [
      parse(exampleManifest) as unknown,
      shop,
      {
        'x-a': 1,
        system: 'a',
        services: {
          a: { image: `sha256:${'0'.repeat(64)}`, user: 1000, env: { A: 1, B: true } },
          b: { image: 'nginx:1.25' },
          c: { build: { base: 'node:20' } },
        },
        environments: { staging: null },
      },
    ])
      expect([validate(manifest), validate.errors]).toEqual([true, null])
  })

  it.each([
    [{ system: 'a' }],
    [{ system: 'A', services: {} }],
    [{ system: 'a', services: {}, other: 1 }],
    [{ system: 'a', services: { a: { replica: 2 } } }],
    [{ system: 'a', services: { a: { image: 'sha256:1.25' } } }],
    [{ system: 'a', services: { a: { port: '8080:80' } } }],
    [{ system: 'a', services: { a: { health: { interval: 5 } } } }],
    [{ system: 'a', services: { A: {} } }],
    [{ system: 'a', services: { a: { build: { base: 'node' } } } }],
    [{ system: 'a', services: { a: { build: { base: 'debian', copy: ['../a:/b'] } } } }],
    [{ system: 'a', services: {}, environments: { staging: { target: 'moon' } } }],
  ])('refuses %j', (manifest) => {
    expect(validate(manifest)).toBe(false)
  })
})

describe('the reference', () => {
  it('is the published one', () => {
    const published = readFileSync(join(repository, 'docs/manifest.md'), 'utf8')
    expect(published.slice(published.indexOf('# basalt.yaml'))).toBe(manifestReference())
  })

  it('has a table for every block', () => {
    const titles = [...manifestReference().matchAll(/^### (.*)$/gm)].map(([, title]) => title)
    expect(titles).toEqual([
      'The top level',
      '`services.<name>`',
      '`services.<name>.build` with a Dockerfile',
      '`services.<name>.build`',
      '`services.<name>.build.copy[]`',
      '`services.<name>.ports[]`',
      '`services.<name>.expose`',
      '`services.<name>.health`',
      '`services.<name>.writable[]`',
      '`services.<name>.limits`',
      '`services.<name>.stop`',
      '`environments.<name>`',
      '`environments.<name>.services.<name>`',
    ])
  })
})
