import { execFileSync } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Member, tarOf } from './image.fixture.ts'
import { createRootWriter, type RootWriter } from './root-writer.ts'
import { unpackLayer } from './unpack-layer.ts'

let folder: string
let root: string
let writer: RootWriter
let count = 0

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'basalt-unpack-'))
  root = join(folder, 'root')
  mkdirSync(root)
  writer = createRootWriter(root)
  writeFileSync(join(folder, 'outside'), 'untouched')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const op = { signal: new AbortController().signal }

async function apply(...members: Member[]): Promise<void> {
  await applyBytes(await tarOf(members))
}

async function applyBytes(bytes: Buffer): Promise<void> {
  const file = join(folder, `layer-${++count}.tar`)
  writeFileSync(file, bytes)
  await unpackLayer(writer, { file, name: 'test-layer' }, op)
}

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const tree = () =>
  execFileSync('find', ['.', '-mindepth', '1', '-printf', '%y %P\n'], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter(Boolean)
    .sort()
/** Nothing beside the root and the layers was made or changed. */
const outside = () => [
  readFileSync(join(folder, 'outside'), 'utf8'),
  ...readdirSync(folder).filter((n) => !n.startsWith('layer-')),
]
const untouched = ['untouched', 'outside', 'root']

describe('unpackLayer', () => {
  it('keeps types, owners, modes, times and links', async () => {
    await apply(
      { name: './', type: 'directory', mode: 0o755 },
      { name: './tmp/', type: 'directory', mode: 0o1777 },
      { name: './bin/tool', mode: 0o4755, uid: 5, gid: 60_000, content: 'x'.repeat(3_000_000) },
      { name: './bin/hard', type: 'link', linkname: './bin/tool' },
      { name: './bin/soft', type: 'symlink', linkname: '/bin/tool', uid: 7, gid: 8 },
      { name: `./${'long/'.repeat(60)}name`, content: 'deep' },
      { name: './grüße', content: '' },
    )
    expect(writer.finish()).toEqual({ newestMtime: 1_000_000_000 })
    const tool = lstatSync(join(root, 'bin/tool'))
    expect([tool.mode & 0o7777, tool.uid, tool.gid, tool.size, tool.mtimeMs, tool.nlink]).toEqual([
      0o4755, 5, 60_000, 3_000_000, 1e12, 2,
    ])
    expect(lstatSync(join(root, 'tmp')).mode & 0o7777).toBe(0o1777)
    expect(lstatSync(join(root, 'tmp')).mtimeMs).toBe(1e12)
    // Nobody listed `bin`: its time must not be that of the unpacking.
    expect(lstatSync(join(root, 'bin')).mtimeMs).toBe(0)
    const soft = lstatSync(join(root, 'bin/soft'))
    expect([readlinkSync(join(root, 'bin/soft')), soft.uid, soft.gid, soft.mtimeMs]).toEqual([
      '/bin/tool',
      7,
      8,
      1e12,
    ])
    expect(read(`${'long/'.repeat(60)}name`)).toBe('deep')
  })

  it('replaces what lower layers have, whatever it was', async () => {
    await apply(
      { name: 'a/b', content: '1' },
      { name: 'file', content: '1' },
      { name: 'link', type: 'symlink', linkname: 'a' },
      { name: 'd/', type: 'directory', mode: 0o700 },
      { name: 'd/kept', content: '1' },
    )
    await apply(
      { name: 'a', content: '2' },
      { name: 'file/', type: 'directory' },
      { name: 'link', content: '2' },
      { name: 'd/', type: 'directory', mode: 0o755 },
    )
    expect(tree()).toEqual(['d d', 'd file', 'f a', 'f d/kept', 'f link'])
    expect(lstatSync(join(root, 'd')).mode & 0o777).toBe(0o755)
  })

  it('does not change other names of a file that an upper layer replaces', async () => {
    await apply({ name: 'one', content: 'old' }, { name: 'two', type: 'link', linkname: 'one' })
    await apply({ name: 'one', content: 'new' })
    expect([read('one'), read('two')]).toEqual(['new', 'old'])
  })

  it('writes below a merged folder where its link leads, inside the root', async () => {
    await apply(
      { name: 'usr/lib/', type: 'directory' },
      { name: 'lib', type: 'symlink', linkname: 'usr/lib' },
    )
    await apply({ name: 'lib/libc.so', content: 'x' })
    expect(tree()).toEqual(['d usr', 'd usr/lib', 'f usr/lib/libc.so', 'l lib'])
  })

  describe('whiteouts', () => {
    beforeEach(() =>
      apply(
        { name: 'd/one', content: '1' },
        { name: 'd/two', content: '1' },
        { name: 'd/sub/x', content: '1' },
        { name: 'e', content: '1' },
      ),
    )

    it('remove one path of lower layers', async () => {
      await apply({ name: 'd/.wh.one' }, { name: 'd/.wh.sub' }, { name: '.wh.absent' })
      expect(tree()).toEqual(['d d', 'f d/two', 'f e'])
    })

    it('spare what the same layer brings, in any order', async () => {
      await apply(
        { name: 'd/one', content: '2' },
        { name: 'd/.wh.one' },
        { name: 'd/sub/y', content: '2' },
        { name: 'd/.wh.sub' },
      )
      expect(tree()).toEqual(['d d', 'd d/sub', 'f d/one', 'f d/sub/y', 'f d/two', 'f e'])
      expect(read('d/one')).toBe('2')
    })

    it('empty a folder of what lower layers put there', async () => {
      await apply({ name: 'd/new', content: '2' }, { name: 'd/.wh..wh..opq' })
      expect(tree()).toEqual(['d d', 'f d/new', 'f e'])
    })

    it('never reach out of the root', async () => {
      await apply({ name: 'out', type: 'symlink', linkname: '/..' })
      await apply({ name: 'out/.wh.outside' }, { name: 'out/.wh..wh..opq' })
      expect(outside()).toEqual(untouched)
    })

    it('skip the bookkeeping of AUFS', async () => {
      await apply({ name: '.wh..wh.plnk/', type: 'directory' })
      expect(tree()).not.toContain('d .wh..wh.plnk')
    })
  })
})

describe('a hostile layer', () => {
  const refused: Record<string, Member[]> = {
    'climbs by its path': [{ name: '../outside', content: 'evil' }],
    'climbs inside its path': [{ name: 'a/../../outside', content: 'evil' }],
    'climbs by a pax path': [{ name: 'harmless', pax: { path: '../outside' }, content: 'evil' }],
    'has a NUL in its path': [{ name: 'x', pax: { path: 'a\0b' }, content: 'evil' }],
    'has a path that is no text': [{ name: 'x', pax: { path: 'a\uFFFDb' }, content: 'evil' }],
    'has a name that is too long': [{ name: 'n'.repeat(256), content: 'evil' }],
    'brings a character device': [{ name: 'dev/mem', type: 'character-device', devmajor: 1, devminor: 1 }],
    'brings a block device': [{ name: 'dev/sda', type: 'block-device', devmajor: 8, devminor: 0 }],
    'brings a FIFO': [{ name: 'fifo', type: 'fifo' }],
    'links hard out of the root': [{ name: 'x', type: 'link', linkname: '../outside' }],
    'links hard to what is not there': [{ name: 'x', type: 'link', linkname: '/etc/passwd' }],
    'links hard to a folder': [
      { name: 'd/', type: 'directory' },
      { name: 'x', type: 'link', linkname: 'd' },
    ],
    'links hard to itself': [
      { name: 'x', content: '' },
      { name: 'x', type: 'link', linkname: 'x' },
    ],
    'links softly out of the root': [{ name: 'a/x', type: 'symlink', linkname: '../../outside' }],
    'makes its root a link': [{ name: './', type: 'symlink', linkname: '/etc' }],
    'makes its root a file': [{ name: '.', type: 'file', content: 'x' }],
    'whites out its parent': [{ name: 'a/.wh...' }],
    'whites out nothing': [{ name: 'a/.wh.' }],
    'puts something below a whiteout': [{ name: '.wh.a/b', content: 'x' }],
    'is sparse (pax)': [
      { name: 'x', pax: { 'GNU.sparse.major': '1', 'GNU.sparse.name': 'x' }, content: '1\n0\n512\n' },
    ],
    'needs a folder where it has a file': [
      { name: 'a', content: '' },
      { name: 'a/b', content: '' },
    ],
    'has an absolute path': [{ name: '/outside', content: 'evil' }],
    'has an owner that is no number': [{ name: 'x', pax: { uid: 'root' }, content: '' }],
    'has an owner below zero': [{ name: 'x', pax: { gid: '-1' }, content: '' }],
    'goes round in circles': [
      { name: 'a', type: 'symlink', linkname: 'b' },
      { name: 'b', type: 'symlink', linkname: 'a' },
      { name: 'a/x', content: '' },
    ],
  }
  for (const [what, members] of Object.entries(refused))
    it(`is refused when it ${what}`, async () => {
      await expect(apply(...members)).rejects.toMatchObject({ code: 'image.invalid' })
      expect(outside()).toEqual(untouched)
    })

  const contained: Record<string, Member[]> = {
    'writes below an absolute link': [
      { name: 'conf', type: 'symlink', linkname: '/etc' },
      { name: 'conf/basalt-escape', content: 'evil' },
    ],
    'writes below a link to the root of all': [
      { name: 'up', type: 'symlink', linkname: '/../..' },
      { name: 'up/outside', content: 'evil' },
    ],
    'writes through a link': [
      { name: 'x', type: 'symlink', linkname: '/outside' },
      { name: 'x', content: 'evil' },
    ],
    'replaces a folder by a link and writes below it': [
      { name: 'd/', type: 'directory' },
      { name: 'd/x', content: '' },
      { name: 'd', type: 'symlink', linkname: '/../..' },
      { name: 'd/outside', content: 'evil' },
    ],
    'chains links': [
      { name: 'a', type: 'symlink', linkname: '/b/..' },
      { name: 'b', type: 'symlink', linkname: '/../c' },
      { name: 'a/outside', content: 'evil' },
    ],
  }
  for (const [what, members] of Object.entries(contained))
    it(`stays in its root when it ${what}`, async () => {
      await apply(...members)
      expect(outside()).toEqual(untouched)
      expect(() => lstatSync('/etc/basalt-escape')).toThrow('ENOENT')
    })

  it('is refused when a link that lower layers brought is chained to by a hard link', async () => {
    await apply({ name: 'etc', type: 'symlink', linkname: '/../..' })
    await expect(apply({ name: 'x', type: 'link', linkname: 'etc/outside' })).rejects.toMatchObject({
      code: 'image.invalid',
    })
  })

  it('is refused when it is cut off, anywhere', async () => {
    const bytes = await tarOf([
      { name: 'a', content: 'x'.repeat(1000) },
      { name: 'b', content: 'y'.repeat(700) },
    ])
    for (const end of [100, 512, 600, 1536, 2000, 2048, 2600])
      await expect(applyBytes(bytes.subarray(0, end))).rejects.toMatchObject({ code: 'image.invalid' })
  })

  it('is refused when it is an old GNU sparse file', async () => {
    writeFileSync(join(folder, 'outside'), 'untouched')
    execFileSync('truncate', ['-s', '5M', join(folder, 'layer-hole')])
    execFileSync('tar', [
      '--sparse',
      '--format=gnu',
      '-C',
      folder,
      '-cf',
      join(folder, 'layer-s.tar'),
      'layer-hole',
    ])
    await expect(applyBytes(readFileSync(join(folder, 'layer-s.tar')))).rejects.toMatchObject({
      code: 'image.invalid',
    })
  })

  it('is refused when it has more entries or bytes than allowed', async () => {
    const file = join(folder, 'layer-big.tar')
    writeFileSync(
      file,
      await tarOf([
        { name: 'a', content: 'xx' },
        { name: 'b', content: 'xx' },
      ]),
    )
    for (const limits of [
      { entries: 1, sizeBytes: 100 },
      { entries: 9, sizeBytes: 3 },
    ])
      await expect(unpackLayer(writer, { file, name: 'big' }, op, limits)).rejects.toMatchObject({
        code: 'image.invalid',
      })
  })

  it('is given up when the caller aborts', async () => {
    const controller = new AbortController()
    controller.abort()
    const file = join(folder, 'layer-slow.tar')
    writeFileSync(
      file,
      await tarOf(Array.from({ length: 3000 }, (_, n) => ({ name: `f${n}`, content: 'x' }))),
    )
    await expect(
      unpackLayer(writer, { file, name: 'slow' }, { signal: controller.signal }),
    ).rejects.toMatchObject({ code: 'request.interrupted' })
  })
})
