import { chownSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
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
