import { describe, expect, it } from 'vitest'
import { parseMountinfo, readMounts } from './mountinfo.ts'

describe('parseMountinfo', () => {
  it('reads paths with blanks, optional fields, and options', () => {
    const text = [
      '36 35 98:0 /mnt1 /mnt/two\\040words\\134 rw,noatime master:1 shared:2 - ext4 /dev/root rw,errors=continue',
      '42 27 7:0 / /roots/a ro,nodev,relatime - erofs /dev/loop0 ro,user_xattr',
      '',
    ].join('\n')
    expect(parseMountinfo(text)).toEqual([
      { path: '/mnt/two words\\', fileSystem: 'ext4', source: '/dev/root', readOnly: false },
      { path: '/roots/a', fileSystem: 'erofs', source: '/dev/loop0', readOnly: true },
    ])
  })

  it('finds this machine’s root', async () => {
    expect((await readMounts()).map((mount) => mount.path)).toContain('/')
  })
})
