import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exec } from '../../util/exec.ts'
import { readMounts } from '../../util/mountinfo.ts'
import { openRunFolder, removeRunFolder } from './run-folder.ts'

describe('the folder of what a boot ends', () => {
  let parent: string
  let folder: string
  beforeEach(async (ctx) => {
    if (process.getuid?.() !== 0) ctx.skip('needs root')
    parent = await mkdtemp(join(tmpdir(), 'basalt-run-'))
    folder = join(parent, 'run/key')
  })
  afterEach(async () => {
    for (const { path } of await mountsOf(parent)) await exec('umount', [path])
    await rm(parent, { recursive: true, force: true })
  })
  const mountsOf = async (path: string) =>
    (await readMounts()).filter((mount) => mount.path.startsWith(`${path}/`))

  it('is in memory, and is what it was for the next server', async (ctx) => {
    await openRunFolder(folder)
    const made = await mountsOf(parent)
    if (made.length === 0) return ctx.skip('the folder for temporary files is in memory itself')
    expect(made).toMatchObject([{ path: folder, fileSystem: 'tmpfs', readOnly: false }])
    await writeFile(join(folder, 'record'), 'kept')
    await openRunFolder(folder)
    expect(await mountsOf(parent)).toEqual(made)
    expect(existsSync(join(folder, 'record'))).toBe(true)
  })

  it('leaves nothing', async () => {
    await openRunFolder(folder)
    await removeRunFolder(folder)
    await removeRunFolder(folder)
    expect(await mountsOf(parent)).toEqual([])
    expect(existsSync(folder)).toBe(false)
  })
})
