import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { dependencyFindings } from '../scripts/check-dependencies.ts'
import { missingFromLock } from '../scripts/complete-lock.ts'

const root = resolve(import.meta.dirname, '..')
const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** A project with this project's settings and the files given. */
function project(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'basalt-architecture-'))
  folders.push(folder)
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const settings of ['tsconfig.json', 'package.json', '.oxlintrc.json'])
    cpSync(join(root, settings), join(folder, settings))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

const importing = (path: string): string => `import { thing } from '${path}'\nexport const other = thing\n`
const thing = 'export const thing = 1\n'

describe('the direction of the imports', () => {
  it('holds in this repository', () => {
    expect(dependencyFindings(root)).toEqual([])
  })

  it.each([
    ['core-is-pure', 'src/core/plan.ts', 'src/engine/deploy.ts'],
    ['core-is-pure', 'src/core/plan.ts', 'src/util/exec.ts'],
    ['layers-look-down', 'src/store/store.ts', 'src/engine/deploy.ts'],
    ['layers-look-down', 'src/targets/local/start.ts', 'src/server/main.ts'],
    ['layers-meet-at-interfaces', 'src/targets/local/start.ts', 'src/router/haproxy/haproxy-router.ts'],
    ['layers-meet-at-interfaces', 'src/build/native/native-builder.ts', 'src/store/sqlite/sqlite-store.ts'],
    ['drivers-are-strangers', 'src/targets/local/start.ts', 'src/targets/memory/memory-target.ts'],
    ['interfaces-know-no-driver', 'src/targets/target.ts', 'src/targets/memory/memory-target.ts'],
    ['engine-looks-down', 'src/engine/deploy.ts', 'src/server/request.ts'],
    ['server-looks-down', 'src/server/request.ts', 'src/cli/main.ts'],
    ['only-main-names-drivers', 'src/engine/deploy.ts', 'src/targets/local/start.ts'],
    ['only-main-names-drivers', 'src/server/request.ts', 'src/store/sqlite/sqlite-store.ts'],
    ['product-knows-no-tests', 'src/engine/deploy.ts', 'src/targets/target.contract.ts'],
    ['util-knows-no-layer', 'src/util/exec.ts', 'src/store/store.ts'],
  ])('%s: refuses that %s imports %s', (rule, from, to) => {
    const folder = project({ [from]: importing(relativeImport(from, to)), [to]: thing })
    expect(dependencyFindings(folder)).toContain(`${rule}: ${from} imports ${to}`)
  })

  it.each([
    ['src/targets/local/start.ts', 'src/router/router.ts'],
    ['src/build/native/native-builder.ts', 'src/images/content-store.ts'],
    ['src/server/main.ts', 'src/targets/local/start.ts'],
    ['src/engine/deploy.ts', 'src/targets/target.ts'],
    ['src/targets/local/start.test.ts', 'src/targets/memory/memory-target.ts'],
  ])('allows that %s imports %s', (from, to) => {
    const folder = project({ [from]: importing(relativeImport(from, to)), [to]: thing })
    expect(dependencyFindings(folder)).toEqual([])
  })

  it('counts imports of types too', () => {
    const folder = project({
      'src/core/plan.ts': "import type { Thing } from '../engine/deploy.ts'\nexport type Other = Thing\n",
      'src/engine/deploy.ts': 'export type Thing = 1\n',
    })
    expect(dependencyFindings(folder)).toContain(
      'core-is-pure: src/core/plan.ts imports src/engine/deploy.ts',
    )
  })

  it('refuses files, processes and the network in core', () => {
    const folder = project({
      'src/core/plan.ts': "import { readFileSync } from 'node:fs'\nreadFileSync('x')\n",
    })
    expect(dependencyFindings(folder)).toEqual(['core-has-no-io: src/core/plan.ts imports fs'])
  })

  it('refuses cycles', () => {
    const folder = project({
      'src/core/a.ts': "import { b } from './b.ts'\nexport const a = b\n",
      'src/core/b.ts': "import { a } from './a.ts'\nexport const b = a\n",
    })
    expect(dependencyFindings(folder)).toContain(
      'no-circular: src/core/a.ts -> src/core/b.ts -> src/core/a.ts',
    )
  })

  it('says so when there was nothing to read', () => {
    const folder = project({ 'src/readme.md': 'no code' })
    expect(dependencyFindings(folder)).toEqual([`no TypeScript files in ${join(folder, 'src')}`])
  })
})

describe('the linter', () => {
  it.each([
    ['no-floating-promises', 'export function start(): void {\n  Promise.resolve(1)\n}\n'],
    ['no-misused-promises', "export const run = (): void => ['a'].forEach(async () => {})\n"],
    ['no-explicit-any', 'export const read = (value: any): unknown => value\n'],
    ['no-default-export', 'export default 1\n'],
    ['eqeqeq', 'export const same = (a: unknown, b: unknown): boolean => a == b\n'],
    ['max-lines-per-function', `export function long(): void {\n${'  Math.random()\n'.repeat(61)}}\n`],
    ['max-lines', 'export {}\n'.repeat(401)],
  ])('finds %s', (rule, text) => {
    const folder = project({ 'src/sample.ts': text })
    const oxlint = join(root, 'node_modules/.bin/oxlint')
    const run = spawnSync(oxlint, ['--format', 'json'], { cwd: folder, encoding: 'utf8' })
    const { diagnostics } = JSON.parse(run.stdout) as { diagnostics: readonly { readonly code: string }[] }
    expect(diagnostics.map(({ code }) => code)).toContainEqual(expect.stringContaining(`(${rule})`))
    expect(run.status).not.toBe(0)
  })
})

describe('package-lock.json', () => {
  it('names the packages of every platform, without which npm ci refuses it', () => {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
    expect(missingFromLock(lock)).toEqual([])
  })

  it('names no registry', () => {
    const text = readFileSync(join(root, 'package-lock.json'), 'utf8')
    expect(text).not.toMatch(/"resolved"/)
  })
})

describe('the house', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path: `src/${path}`, text: readFileSync(join(root, 'src', path), 'utf8') }))
  const product = sources.filter(
    ({ path }) => !/\.(?:test|contract|fixture)\.ts$|\/(?:fixtures|testing)\//.test(path),
  )

  it('names no file after nothing in particular', () => {
    const vague = /(?:[/-](?:helpers?|common|utils|types|managers?|misc)|\/index)\.ts$/
    expect(sources.map(({ path }) => path).filter((path) => vague.test(path))).toEqual([])
  })

  it('throws one type of error', () => {
    expect(product.filter(({ text }) => /throw new Error\b/.test(text)).map(({ path }) => path)).toEqual([])
  })

  it('has no update verb in the planner, in targets and in the store', () => {
    const planner = readFileSync(join(root, 'src/core/plan.ts'), 'utf8')
    const step = planner.slice(
      planner.indexOf('export type Step ='),
      planner.indexOf('export interface Plan '),
    )
    const kinds = [...step.matchAll(/readonly kind: '(\w+)'/g)].map(([, kind]) => kind)
    expect(kinds).toEqual(['start', 'route', 'drain', 'stop'])
    for (const path of ['src/targets/target.ts', 'src/store/store.ts', 'src/router/router.ts']) {
      const members = readFileSync(join(root, path), 'utf8').matchAll(/^ {2}(?:readonly )?(\w+)\??[(:<]/gm)
      const names = [...members].map(([, name]) => name)
      expect(names.length).toBeGreaterThan(3)
      expect(names.filter((name) => /^(?:update|patch|modify|edit|mutate|set)/.test(name ?? ''))).toEqual([])
    }
  })
})

function relativeImport(from: string, to: string): string {
  const up = '../'.repeat(from.split('/').length - 1)
  return `${up}${to}`
}
