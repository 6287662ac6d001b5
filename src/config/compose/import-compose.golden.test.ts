import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parseManifest } from '../parse-manifest.ts'
import { importCompose } from './import-compose.ts'
import type { ImportRow } from './import-table.ts'
import { filesOnDisk } from './load/compose-files.ts'

const corpus = join(import.meta.dirname, 'fixtures')
const projects = readdirSync(corpus)

/** Keys of services that no row tells of, `service.key`. What a service extends is told as its own. */
function untold(compose: string, rows: readonly ImportRow[]): readonly string[] {
  const { services } = parse(compose, { schema: 'core', merge: true }) as {
    services: Record<string, Record<string, unknown>>
  }
  return Object.entries(services).flatMap(([name, block]) => {
    const told = rows.filter(({ service }) => service === name).map(({ key }) => key)
    if (told.includes('')) return []
    return Object.keys(block)
      .filter((key) => key !== 'extends' && !told.some((row) => row === key || row.startsWith(`${key}.`)))
      .map((key) => `${name}.${key}`)
  })
}

describe('importCompose', () => {
  it('is tried with real projects', () => expect(projects.length).toBeGreaterThanOrEqual(10))

  it.each(projects)('carries %s over as it did before', async (project) => {
    const root = join(corpus, project)
    const source = { files: filesOnDisk, environment: () => undefined, folder: root }
    const options = { root, schema: 'basalt.schema.json' }
    const { text, rows } = await importCompose(join(root, 'compose.yaml'), source, options)
    const table = rows.map(
      ({ service, key, fate, text, file, line, column }) =>
        `${file}:${line}:${column} ${service ?? '-'} ${key || '-'} ${fate}: ${text}\n`,
    )
    await expect(text).toMatchFileSnapshot(join(root, 'basalt.yaml'))
    await expect(table.join('')).toMatchFileSnapshot(join(root, 'table.txt'))
    expect(Object.keys(parseManifest(text, 'basalt.yaml').services).length).toBeGreaterThan(0)
    expect(untold(await readFile(join(root, 'compose.yaml'), 'utf8'), rows)).toEqual([])
    expect(text).not.toMatch(/s3cr3t|hunter2|somewordpress/)
    expect(table.join('')).not.toMatch(/s3cr3t|hunter2|somewordpress/)
  })
})
