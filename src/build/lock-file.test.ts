import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Digest } from '../core/ids.ts'
import { createImageLock } from './image-lock.ts'
import { type BuildLock, createPackageLock, readLock, writeLock } from './lock-file.ts'
import type { LockedSet, PackageLock } from './package-lock.ts'

const set: LockedSet = {
  suite: 'bookworm',
  architecture: 'amd64',
  requested: ['busybox'],
  indexes: { bookworm: 'Sat, 11 Jul 2026 10:16:37 UTC' },
  packages: [
    {
      name: 'busybox',
      version: '1:1.35.0-4',
      architecture: 'amd64',
      suite: 'bookworm',
      path: 'pool/main/b/busybox/busybox_1.35.0-4_amd64.deb',
      sha256: 'a'.repeat(64),
      sizeBytes: 1,
    },
  ],
}

const withoutImages = (packages: PackageLock): BuildLock => ({
  packages,
  images: createImageLock({}, { update: false }),
})

describe('basalt.lock', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'basalt-lock-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const write = async () => {
    const file = join(folder, 'basalt.lock')
    const lock = createPackageLock([], { update: false })
    lock.keep(set)
    await writeLock(file, withoutImages(lock))
    return file
  }

  it('is read back as it was written', async () => {
    const lock = (await readLock(await write(), { update: false })).packages
    expect(lock.find(set)).toEqual(set)
  })

  it('keeps what is pinned for other architectures, as long as the packages are wanted', async () => {
    const file = join(folder, 'basalt.lock')
    const arm: LockedSet = { ...set, architecture: 'arm64' }
    const before = createPackageLock([], { update: false })
    for (const one of [set, arm, { ...arm, requested: ['dash'] }]) before.keep(one)
    await writeLock(file, withoutImages(before))

    const lock = (await readLock(file, { update: false })).packages
    const changed = { ...set, indexes: { bookworm: 'Sun, 12 Jul 2026 10:16:37 UTC' } }
    lock.keep(changed)
    await writeLock(file, withoutImages(lock))
    const after = (await readLock(file, { update: false })).packages
    expect(after.find(arm)).toEqual(arm)
    expect(after.find(set)).toEqual(changed)
    expect(after.find({ ...arm, requested: ['dash'] })).toBeNull()
    // The release is of this architecture's packages only.
    expect(lock.sets()).toEqual([changed])

    const update = (await readLock(file, { update: true })).packages
    expect(update.find(set)).toBeNull()
    expect(update.indexDate('bookworm')).toBe('Sun, 12 Jul 2026 10:16:37 UTC')
    expect(update.indexDate('trixie')).toBeNull()
    update.keep(set)
    expect(update.pinned()).toEqual([set])
  })

  it.each([
    ['a name that climbs', 'busybox_', '../../../../etc/cron.d/evil_'],
    ['a name with a slash', 'busybox_', 'a/b_'],
    ['a version with a slash', '1:1.35.0-4', '1/../../2'],
    ['an architecture that climbs', '_amd64', '_../amd64'],
    ['a suite that climbs', 'suite: bookworm', 'suite: ../bookworm'],
  ])('is refused with %s', async (_, from, to) => {
    const file = await write()
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replaceAll(from, to))
    expect(readFileSync(file, 'utf8')).not.toBe(text)
    await expect(readLock(file, { update: false })).rejects.toMatchObject({ code: 'build.lock-stale' })
    // It is what --update is for.
    expect((await readLock(file, { update: true })).packages.find(set)).toBeNull()
  })

  it.each([
    [
      'a value that Basalt never writes',
      /sha256: a+/,
      'sha256: none',
      '16:13',
      '`packages.busybox_1:1.35.0-4_amd64.sha256` is not as Basalt writes it',
    ],
    ['marks of a merge', /^version: 1\n/m, '<<<<<<< HEAD\nversion: 1\n=======\n', '2:1', expect.any(String)],
    [
      'a package that it says nothing of',
      /- busybox_1:1.35.0-4_amd64/,
      '- dash_1_amd64',
      '11:9',
      'dash_1_amd64 is not described',
    ],
    ['another text', /[^]*/, 'nothing', '1:1', 'it is not a lock'],
  ])('is refused with %s, once, at its place', async (_, from, to, place, fact) => {
    const file = await write()
    writeFileSync(file, readFileSync(file, 'utf8').replace(from, to))
    const error = await readLock(file, { update: false }).catch((cause: unknown) => cause)
    expect(error).toMatchObject({
      code: 'build.lock-stale',
      remedy: expect.stringContaining('git checkout basalt.lock'),
    })
    const [first, ...more] = (error as Error).message.split('\n')
    expect(more).toEqual([])
    expect(first?.split(': the lock cannot be used: ')).toEqual([`${file}:${place}`, fact])
  })

  it('pins images by what they are called, and keeps those that are asked for', async () => {
    const file = join(folder, 'basalt.lock')
    const [old, newer]: Digest[] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`]
    const first = await readLock(file, { update: false })
    first.images.keep('nginx:1.25', old as Digest)
    first.images.keep('localhost:5000/web', newer as Digest)
    expect(first.images.find('nginx:1.25')).toBe(old)
    expect(await writeLock(file, first)).toBe(true)
    expect(
      readFileSync(file, 'utf8'),
    ).toBe(`# Made by \`basalt build\`: every Debian package by version and SHA-256, every image by digest. Commit it.
version: 1
images:
  localhost:5000/web: ${newer}
  nginx:1.25: ${old}
sets: []
packages: {}
`)
    const second = await readLock(file, { update: false })
    expect(second.images.find('nginx:1.25')).toBe(old)
    second.images.keep('nginx:1.25', old as Digest)
    await writeLock(file, second)
    const update = await readLock(file, { update: true })
    expect(update.images.find('nginx:1.25')).toBeNull()
    expect(update.images.before('nginx:1.25')).toBe(old)
    expect(update.images.before('localhost:5000/web')).toBeNull()
    update.images.keep('nginx:1.25', newer as Digest)
    expect(update.images.find('nginx:1.25')).toBe(newer)

    writeFileSync(file, readFileSync(file, 'utf8').replace(old as string, 'latest'))
    await expect(readLock(file, { update: false })).rejects.toMatchObject({
      code: 'build.lock-stale',
      message: `${file}:4:15: the lock cannot be used: \`images.nginx:1.25\` is not as Basalt writes it`,
    })
  })

  it('has nothing beside it of a run that was killed, which a copy of the folder would take', async () => {
    const left = join(folder, `.basalt.lock.${process.pid}-${'0'.repeat(16)}-1.tmp`)
    writeFileSync(left, 'half')
    await readLock(join(folder, 'basalt.lock'), { update: false })
    expect(existsSync(left)).toBe(false)
  })

  it("is the owner's of its folder, whoever builds", async (test) => {
    if (process.getuid?.() !== 0) return test.skip('giving files to another user needs root')
    chownSync(folder, 12345, 12346)
    expect(statSync(await write())).toMatchObject({ uid: 12345, gid: 12346, mode: 0o100644 })
  })
})
