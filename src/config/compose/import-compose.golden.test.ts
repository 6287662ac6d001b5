import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { importCompose } from './import-compose.ts'
import { filesOnDisk } from './load/compose-files.ts'
import { parseImported } from './manifest-of-today.fixture.ts'

const corpus = join(import.meta.dirname, 'fixtures')
const projects = readdirSync(corpus)

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
    expect(Object.keys(parseImported(text).services).length).toBeGreaterThan(0)
    expect(text).not.toMatch(/s3cr3t|hunter2|somewordpress/)
    expect(table.join('')).not.toMatch(/s3cr3t|hunter2|somewordpress/)
  })
})
