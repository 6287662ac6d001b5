import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exampleManifest } from './example-manifest.ts'
import { loadManifest } from './load-manifest.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'basalt-manifest-'))
})

afterEach(() => rm(folder, { recursive: true }))

describe('loadManifest', () => {
  it('reads a file, or the basalt.yaml of a folder, with or without a byte order mark', async () => {
    const file = join(folder, 'basalt.yaml')
    await writeFile(file, `\ufeff${exampleManifest}`)
    const byFile = await loadManifest(file)
    const byFolder = await loadManifest(folder)
    expect(byFile.file).toBe(file)
    expect(byFolder).toMatchObject({ file, system: byFile.system })
    expect(byFile.locate(['services', 'web', 'build', 'base'])).toEqual({ line: 6, column: 13 })
  })

  it('says that there is none, and how to get one', async () => {
    const missing = { code: 'manifest.missing', remedy: expect.stringContaining('basalt init') as string }
    await expect(loadManifest(folder)).rejects.toMatchObject(missing)
    await expect(loadManifest(join(folder, 'other.yaml'))).rejects.toMatchObject({
      ...missing,
      message: `there is no ${join(folder, 'other.yaml')}`,
    })
    await expect(loadManifest(join(folder, 'a\0b'))).rejects.toMatchObject({ code: 'manifest.missing' })
  })

  it('does not wait for a pipe', async () => {
    const pipe = join(folder, 'pipe')
    await promisify(execFile)('mkfifo', [pipe])
    await expect(loadManifest(pipe)).rejects.toMatchObject({ code: 'manifest.invalid' })
  })

  it('points into the file that was asked for', async () => {
    const file = join(folder, 'mine.yaml')
    await writeFile(file, 'system: 1\nservices: { a: { image: b } }')
    await expect(loadManifest(file)).rejects.toMatchObject({
      code: 'manifest.invalid',
      message: expect.stringContaining(`\n${file}:1:9: `) as string,
    })
  })

  it('refuses what is no text and what is far too large', async () => {
    const file = join(folder, 'basalt.yaml')
    await writeFile(file, Buffer.from([0x73, 0xff, 0xfe]))
    await expect(loadManifest(file)).rejects.toMatchObject({
      message: expect.stringContaining('not UTF-8') as string,
    })
    await writeFile(file, `#${'x'.repeat(3 * 1024 * 1024)}`)
    await expect(loadManifest(file)).rejects.toMatchObject({
      message: expect.stringContaining('1 MiB') as string,
    })
  })
})
