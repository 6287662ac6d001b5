import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createPackageLock, readPackageLock, writePackageLock } from './lock-file.ts'
import type { LockedSet } from './package-lock.ts'

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
    await writePackageLock(file, lock)
    return file
  }

  it('is read back as it was written', async () => {
    const lock = await readPackageLock(await write(), { update: false })
    expect(lock.find(set)).toEqual(set)
  })

  it('keeps what is pinned for other architectures, as long as the packages are wanted', async () => {
    const file = join(folder, 'basalt.lock')
    const arm: LockedSet = { ...set, architecture: 'arm64' }
    const before = createPackageLock([], { update: false })
    for (const one of [set, arm, { ...arm, requested: ['dash'] }]) before.keep(one)
    await writePackageLock(file, before)

    const lock = await readPackageLock(file, { update: false })
    const changed = { ...set, indexes: { bookworm: 'Sun, 12 Jul 2026 10:16:37 UTC' } }
    lock.keep(changed)
    await writePackageLock(file, lock)
    const after = await readPackageLock(file, { update: false })
    expect(after.find(arm)).toEqual(arm)
    expect(after.find(set)).toEqual(changed)
    expect(after.find({ ...arm, requested: ['dash'] })).toBeNull()
    // The release is of this architecture's packages only.
    expect(lock.sets()).toEqual([changed])

    const update = await readPackageLock(file, { update: true })
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
    await expect(readPackageLock(file, { update: false })).rejects.toMatchObject({ code: 'build.lock-stale' })
    // It is what --update is for.
    expect((await readPackageLock(file, { update: true })).find(set)).toBeNull()
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
    const error = await readPackageLock(file, { update: false }).catch((cause: unknown) => cause)
    expect(error).toMatchObject({
      code: 'build.lock-stale',
      remedy: expect.stringContaining('git checkout basalt.lock'),
    })
    const [first, ...more] = (error as Error).message.split('\n')
    expect(more).toEqual([])
    expect(first?.split(': the lock cannot be used: ')).toEqual([`${file}:${place}`, fact])
  })

  it('has nothing beside it of a run that was killed, which a copy of the folder would take', async () => {
    const left = join(folder, `.basalt.lock.${process.pid}-${'0'.repeat(16)}-1.tmp`)
    writeFileSync(left, 'half')
    await readPackageLock(join(folder, 'basalt.lock'), { update: false })
    expect(existsSync(left)).toBe(false)
  })

  it("is the owner's of its folder, whoever builds", async (test) => {
    if (process.getuid?.() !== 0) return test.skip('giving files to another user needs root')
    chownSync(folder, 12345, 12346)
    expect(statSync(await write())).toMatchObject({ uid: 12345, gid: 12346, mode: 0o100644 })
  })
})
