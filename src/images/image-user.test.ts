import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { resolveUser } from './image-user.ts'

const passwd = `root:x:0:0:root:/root:/bin/sh
# people
redis:x:101:102:,,,:/var/lib/redis:/usr/sbin/nologin
1000:x:7:8::/odd:

broken:x:many:1::/:
`
const group = `root:x:0:
redis:x:102:
video:x:44:root,redis
audio:x:29:redis
staff:x:50:
`

describe('resolveUser', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'basalt-user-'))
    mkdirSync(join(root, 'etc'))
    writeFileSync(join(root, 'etc/passwd'), passwd)
    writeFileSync(join(root, 'etc/group'), group)
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const redis = { uid: 101, gid: 102, additionalGids: [29, 44], home: '/var/lib/redis' }

  it.each([
    [null, { uid: 0, gid: 0, additionalGids: [44], home: '/root' }],
    ['', { uid: 0, gid: 0, additionalGids: [44], home: '/root' }],
    ['redis', redis],
    ['101', redis],
    ['redis:staff', { ...redis, gid: 50, additionalGids: [] }],
    ['redis:50', { ...redis, gid: 50, additionalGids: [] }],
    ['101:12345', { ...redis, gid: 12345, additionalGids: [] }],
    ['65534', { uid: 65534, gid: 0, additionalGids: [], home: '/' }],
    ['65534:staff', { uid: 65534, gid: 50, additionalGids: [], home: '/' }],
    // A name that is a number wins over the number.
    ['1000', { uid: 7, gid: 8, additionalGids: [], home: '/odd' }],
  ])('resolves %j', async (user, expected) => {
    expect(await resolveUser(root, user)).toEqual(expected)
  })

  it.each([
    ['nobody', 'the user "nobody" is not in the image\'s /etc/passwd'],
    ['redis:nobody', 'the group "nobody" is not in the image\'s /etc/group'],
    ['broken', 'the line of the user "broken" in the image\'s /etc/passwd is malformed'],
    ['4294967295', 'the user "4294967295" is not in'],
    ['-1', 'the user "-1" is not in'],
    ['a:b:c', 'is not of the form user or user:group'],
    [':staff', 'is not of the form user or user:group'],
    ['redis:', 'is not of the form user or user:group'],
  ])('refuses %j', async (user, message) => {
    await expect(resolveUser(root, user)).rejects.toMatchObject({
      code: 'image.invalid',
      message: expect.stringContaining(message),
    })
  })

  it('works on an image without user databases', async () => {
    rmSync(join(root, 'etc'), { recursive: true })
    expect(await resolveUser(root, '5:6')).toEqual({ uid: 5, gid: 6, additionalGids: [], home: '/' })
    await expect(resolveUser(root, 'redis')).rejects.toMatchObject({ code: 'image.invalid' })
  })

  it('never reads the files of the host', async () => {
    rmSync(join(root, 'etc/passwd'))
    symlinkSync('/../../../../../../../etc/passwd', join(root, 'etc/passwd'))
    await expect(resolveUser(root, 'daemon')).rejects.toMatchObject({ code: 'image.invalid' })
    rmSync(join(root, 'etc'), { recursive: true })
    symlinkSync('/etc', join(root, 'etc'))
    await expect(resolveUser(root, 'daemon')).rejects.toMatchObject({ code: 'image.invalid' })
  })

  it('follows links inside the image', async () => {
    mkdirSync(join(root, 'usr/lib'), { recursive: true })
    writeFileSync(join(root, 'usr/lib/passwd'), 'web:x:33:33::/var/www:')
    rmSync(join(root, 'etc/passwd'))
    symlinkSync('/usr/lib/passwd', join(root, 'etc/passwd'))
    expect(await resolveUser(root, 'web')).toMatchObject({ uid: 33 })
  })

  it('refuses a FIFO or a folder instead of waiting on it', async () => {
    rmSync(join(root, 'etc/passwd'))
    execFileSync('mkfifo', [join(root, 'etc/passwd')])
    await expect(resolveUser(root, 'web')).rejects.toMatchObject({ code: 'image.invalid' })
    rmSync(join(root, 'etc/passwd'))
    mkdirSync(join(root, 'etc/passwd'))
    await expect(resolveUser(root, 'web')).rejects.toMatchObject({ code: 'image.invalid' })
  })
})
