import { expect, it } from 'vitest'
import { BasaltError } from '../../errors.ts'
import { parseManifest } from '../parse-manifest.ts'

const sourceOf = (build: string) =>
  parseManifest(`system: shop\nservices:\n  web:\n    build: ${build}\n`, 'basalt.yaml').services['web']
    ?.source

const plain = { context: 'web', dockerfile: 'Dockerfile', target: null, args: {}, secrets: [], ignore: [] }

it.each([
  ['./web', plain],
  ['web/', plain],
  ['.', { ...plain, context: '.' }],
  ['{ context: ./web }', plain],
  [
    '{ context: web, dockerfile: ../docker/./Web, target: prod, args: { V: 1.10, ON: true } }',
    { ...plain, dockerfile: '../docker/Web', target: 'prod', args: { V: '1.10', ON: 'true' } },
  ],
  [
    '{ context: web, secrets: { z: ./.npmrc, a: keys/a }, ignore: ["**/*.md"] }',
    {
      ...plain,
      secrets: [
        { id: 'a', file: 'keys/a' },
        { id: 'z', file: '.npmrc' },
      ],
      ignore: ['**/*.md'],
    },
  ],
])('build: %s', (build, recipe) => {
  expect(sourceOf(build)).toEqual({ kind: 'dockerfile', recipe })
})

it('a block without a context is a recipe', () => {
  expect(sourceOf('{ base: scratch, entrypoint: [/a] }')).toMatchObject({ kind: 'native' })
})

const mistakesIn = (build: string): readonly string[] => {
  try {
    sourceOf(build)
    return []
  } catch (error) {
    if (!(error instanceof BasaltError)) throw error
    const problems = error.details['problems'] as readonly { message: string; remedy: string }[]
    return problems.map(({ message, remedy }) => `${message} | ${remedy}`)
  }
}

it.each([
  [
    '/web',
    /`services.web.build` is the text `\/web` \| It must be a folder inside the folder of basalt.yaml/,
  ],
  ['../web', /is the text `\.\.\/web` \| It must be a folder inside/],
  ['{ context: web, base: scratch }', /^`context` is not known here \| It goes with another kind of block/],
  ['{ context: web, dockerfil: x }', /^`dockerfil` is not known here \| did you mean `dockerfile`/],
  ['{ context: web, secrets: [a] }', /`services.web.build.secrets` is a list \| It must be a block of ids/],
  ['{ context: web, secrets: { a: ../b } }', /\| It must be a file inside the folder of basalt.yaml/],
  ['{ context: web, dockerfile: /etc/x }', /\| It must be a path below the context/],
  ['{ dockerfile: x }', /^`services.web.build` has no `context`/],
])('refuses %s', (build, expected) => {
  expect(mistakesIn(build)[0]).toMatch(expected)
})
