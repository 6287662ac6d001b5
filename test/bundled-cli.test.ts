import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { installBasalt } from './installed-basalt.fixture.ts'

/** What is imported late has another form in a bundle than in the sources, which all other tests of the CLI run. */
describe('the bundled command line', () => {
  let folder: string
  let basalt: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'basalt-bundled-'))
    const installed = join(folder, 'package')
    mkdirSync(installed)
    basalt = installBasalt(installed)
    writeFileSync(
      join(folder, 'basalt.yaml'),
      'system: shop\nservices: {}\nenvironments:\n  test: {}\n  production: {}\n',
    )
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const run = async (...args: readonly string[]) => {
    const env = { PATH: process.env.PATH, HOME: folder, BASALT_HOME: join(folder, 'home') }
    return (await promisify(execFile)(basalt, args, { cwd: folder, env })).stdout
  }

  it('prints YAML', async () => {
    expect(parse(await run('version', '-o', 'yaml'))).toMatchObject({ schema: 'basalt.version/v1' })
  })

  it('is replaced by the next build, whatever a killed one has left', async () => {
    const folderOf = (name: string) => join(folder, 'package', name)
    for (const name of ['dist', 'dist.new', 'dist.old']) {
      mkdirSync(folderOf(name), { recursive: true })
      writeFileSync(join(folderOf(name), 'old.js'), '')
    }
    await promisify(execFile)(process.execPath, [folderOf('scripts/build.ts')])
    expect(readdirSync(folderOf('dist'))).toEqual(expect.arrayContaining(['cli.js', 'server.js']))
    expect(readdirSync(folderOf('dist'))).not.toContain('old.js')
    expect(readdirSync(folderOf('.')).filter((name) => name.startsWith('dist'))).toEqual(['dist'])
    expect(await run('version')).toContain('basalt')
  })

  it('has none of the forty languages of zod, which `import * as z` leaves out', () => {
    const dist = join(folder, 'package/dist')
    const texts = readdirSync(dist).map((name) => readFileSync(join(dist, name), 'utf8'))
    expect(texts.some((text) => text.includes('invalid_type'))).toBe(true)
    expect(texts.filter((text) => text.includes('Ungültige Eingabe'))).toEqual([])
  })

  it('reads names from basalt.yaml', async () => {
    const { candidates } = JSON.parse(await run('complete', '--line', 'basalt deploy -e ', '-o', 'json'))
    expect(candidates.map(({ value }: { value: string }) => value)).toEqual(['test', 'production'])
  })
})
