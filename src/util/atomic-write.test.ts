import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeFileAtomic } from './atomic-write.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'basalt-atomic-write-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

describe('writeFileAtomic', () => {
  it('writes bytes and text, and leaves nothing else in the folder', async () => {
    await writeFileAtomic(join(folder, 'text'), 'héllo')
    await writeFileAtomic(join(folder, 'bytes'), new Uint8Array([0, 255, 10]))

    expect(await readFile(join(folder, 'text'), 'utf8')).toBe('héllo')
    expect([...(await readFile(join(folder, 'bytes')))]).toEqual([0, 255, 10])
    expect((await readdir(folder)).sort()).toEqual(['bytes', 'text'])
  })

  it('replaces the file instead of writing into it', async () => {
    const path = join(folder, 'file')
    await writeFile(path, 'old and longer')
    const before = await stat(path)
    await writeFileAtomic(path, 'new')

    expect(await readFile(path, 'utf8')).toBe('new')
    expect((await stat(path)).ino).not.toBe(before.ino)
  })

  it('sets the mode whatever the umask and the old file say', async () => {
    const path = join(folder, 'secret')
    await writeFile(path, 'old')
    await chmod(path, 0o644)
    await writeFileAtomic(path, 'new', { mode: 0o600 })
    await writeFileAtomic(join(folder, 'open'), 'x', { mode: 0o666 })

    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(join(folder, 'open'))).mode & 0o777).toBe(0o666)
  })

  it('leaves the content of one writer when several race, never a mix', async () => {
    const path = join(folder, 'file')
    const contents = Array.from({ length: 8 }, (_, writer) => String(writer).repeat(50_000))
    await Promise.all(contents.map((content) => writeFileAtomic(path, content)))

    expect(contents).toContain(await readFile(path, 'utf8'))
    expect(await readdir(folder)).toEqual(['file'])
  })

  it('names the path and the fact, and cleans up, when it fails', async () => {
    await expect(writeFileAtomic(join(folder, 'no', 'file'), 'x')).rejects.toMatchObject({
      code: 'store.unavailable',
      message: expect.stringContaining(join(folder, 'no', 'file')),
    })

    await mkdir(join(folder, 'taken'))
    await expect(writeFileAtomic(join(folder, 'taken'), 'x')).rejects.toMatchObject({
      code: 'store.unavailable',
      details: { path: join(folder, 'taken') },
    })
    expect(await readdir(folder)).toEqual(['taken'])
  })
})
