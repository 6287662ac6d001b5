import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { exec } from '../../../util/exec.ts'
import { packageEntries } from './package-entries.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'basalt-entries-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it('says what to do when the disk is full', async () => {
  const root = join(folder, 'root')
  mkdirSync(join(root, 'DEBIAN'), { recursive: true })
  const control = { Package: 'tool', Version: '1', Architecture: 'all', Maintainer: 'a <a@example.org>' }
  const fields = Object.entries({ ...control, Description: 'x' }).map(([key, value]) => `${key}: ${value}\n`)
  writeFileSync(join(root, 'DEBIAN/control'), fields.join(''))
  const deb = join(folder, 'tool.deb')
  execFileSync('dpkg-deb', ['-Znone', '--build', root, deb])
  // Whatever is written there finds no space.
  symlinkSync('/dev/full', join(folder, 'tool.files.tar'))

  const item = { name: 'tool', version: '1', architecture: 'all' }
  const locked = { ...item, suite: 'bookworm', path: 'pool/tool.deb', sha256: '0'.repeat(64), sizeBytes: 1 }
  await expect(packageEntries(locked, deb, folder, { exec }, new AbortController())).rejects.toMatchObject({
    code: 'host.disk-full',
    message: `no space is left to write ${join(folder, 'tool.files.tar')}`,
    remedy: expect.stringContaining('Free space'),
  })
})
