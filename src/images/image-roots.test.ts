import { execFileSync } from 'node:child_process'
import {
  chmodSync,
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
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOfBytes } from '../core/digest.ts'
import { exec } from '../util/exec.ts'
import { readMounts } from '../util/mountinfo.ts'
import type { ContentStore } from './content-store.ts'
import { type Compression, type Member, storeImage, tarOf } from './image.fixture.ts'
import { loadImage } from './image.ts'
import { createImageRoots, type ImageRoots } from './image-roots.ts'
import { makeRoot } from './make-root.ts'
import { openContentStore } from './oci-layout-store.ts'
import type { Exec, Sealing } from './root-sealing.ts'

const op = { signal: new AbortController().signal }
const noMountPoints = { directories: [], files: [] }
const isRoot = process.getuid?.() === 0

const base: Member[] = [
  { name: './', type: 'directory', mode: 0o755 },
  { name: './bin/', type: 'directory', mode: 0o755 },
  { name: './bin/tool', mode: 0o4755, uid: 5, gid: 6, content: 'tool' },
  { name: './etc/', type: 'directory', mode: 0o755 },
  { name: './etc/resolv.conf', type: 'symlink', linkname: '../run/resolv.conf' },
  { name: './var/run', type: 'symlink', linkname: '/run' },
  { name: './home/', type: 'directory', mode: 0o755, mtime: new Date(1_500_000_000_000) },
]

describe.each<Sealing>(['erofs', 'folder'])('image roots sealed as %s', (sealing) => {
  let folder: string
  let store: ContentStore
  let roots: ImageRoots

  const open = (extra: { exec?: Exec } = {}) =>
    createImageRoots({ store, folder: join(folder, 'roots'), exec, sealing, ...extra })
  const mountsHere = async () => (await readMounts()).filter((mount) => mount.path.startsWith(folder))

  beforeEach(async (ctx) => {
    if (!isRoot) ctx.skip('needs root to mount')
    folder = mkdtempSync(join(tmpdir(), 'basalt-roots-'))
    store = await openContentStore(join(folder, 'content'))
    roots = open()
  })
  afterEach(async () => {
    for (const mount of await mountsHere()) execFileSync('umount', [mount.path])
    rmSync(folder, { recursive: true, force: true })
  })

  const image = async (members = base, compression: Compression = 'none') =>
    (await storeImage(store, { layers: [await tarOf(members)], compression, config: { User: 'web' } })).digest

  it('shows the image, its mount points, and lets nobody write', async () => {
    const given = { directories: ['/var/run/app', '/data/'], files: ['/etc/extra'] }
    const { path, imageConfig } = await roots.root(await image(), given, op)
    expect(imageConfig.user).toBe('web')
    const tool = lstatSync(join(path, 'bin/tool'))
    expect([tool.mode & 0o7777, tool.uid, tool.gid, tool.mtimeMs]).toEqual([0o4755, 5, 6, 1e12])
    expect(lstatSync(join(path, 'home')).mtimeMs).toBe(1.5e12)
    // Time of the image, though mount points were put into it.
    expect(lstatSync(join(path, 'etc')).mtimeMs).toBe(1e12)
    for (const made of ['proc', 'sys', 'dev', 'tmp', 'run/app', 'data'])
      expect([made, lstatSync(join(path, made)).isDirectory()]).toEqual([made, true])
    for (const made of ['etc/hosts', 'etc/hostname', 'etc/resolv.conf', 'etc/extra'])
      expect([made, lstatSync(join(path, made)).isFile()]).toEqual([made, true])
    expect(readlinkSync(join(path, 'var/run'))).toBe('/run')
    expect(() => writeFileSync(join(path, 'bin/tool'), 'changed')).toThrow('EROFS')
    expect(() => mkdirSync(join(path, 'new'))).toThrow('EROFS')
  })

  it('shares one root among callers at once, and keeps roots with other mount points apart', async () => {
    const digest = await image()
    const all = await Promise.all(Array.from({ length: 8 }, () => roots.root(digest, noMountPoints, op)))
    expect(new Set(all.map((root) => root.path)).size).toBe(1)
    const other = await roots.root(digest, { directories: ['/data'], files: [] }, op)
    expect(other.path).not.toBe(all[0]?.path)
    expect((await mountsHere()).length).toBe(2)
    // A folder that the image has needs no root of its own.
    expect(await roots.root(digest, { directories: ['/home', '/var/run'], files: [] }, op)).toEqual(all[0])
    expect(
      (await roots.list()).map(({ id, mounted, record }) => ({ id, mounted, image: record?.image })),
    ).toEqual(
      [all[0]?.id ?? '', other.id]
        .toSorted((a, b) => (a < b ? -1 : 1))
        .map((id) => ({ id, mounted: true, image: digest })),
    )
  })

  it('unpacks gzip and zstd layers to the same root', async () => {
    const seen = new Set<string>()
    for (const compression of ['none', 'gzip', 'zstd'] as const) {
      const { path } = await roots.root(await image(base, compression), noMountPoints, op)
      seen.add(
        execFileSync('find', ['.', '-printf', '%p %m %U %G %s %T@ %l\n'], { cwd: path, encoding: 'utf8' }),
      )
    }
    expect(seen.size).toBe(1)
  })

  it('hides below an opaque folder what umoci hides there', async (test) => {
    if ((await exec('umoci', ['--version'])).exitCode !== 0) return test.skip('umoci is not installed')
    const layers = [
      ['opt/old', 'opt/sub/old', 'kept'],
      ['opt/.wh..wh..opq', 'opt/new'],
    ].map((files, index) => {
      const place = join(folder, `layer-${index}`)
      for (const file of files) {
        mkdirSync(dirname(join(place, file)), { recursive: true })
        writeFileSync(join(place, file), '')
      }
      return execFileSync('tar', ['-C', place, '-c', '.'])
    })
    const descriptor = await storeImage(store, { layers })
    await store.refer({ ...descriptor, annotations: { 'org.opencontainers.image.ref.name': 'x' } })
    const bundle = join(folder, 'bundle')
    execFileSync('umoci', ['unpack', '--image', `${store.folder}:x`, bundle])
    const { path } = await roots.root(descriptor.digest, noMountPoints, op)
    expect(readdirSync(join(path, 'opt'))).toEqual(['new'])
    expect(readdirSync(join(path, 'opt'))).toEqual(readdirSync(join(bundle, 'rootfs/opt')))
    expect(readdirSync(path)).toContain('kept')
  })

  it('finds the mounted root after a restart, and mounts it again after a reboot', async () => {
    const digest = await image()
    const first = await roots.root(digest, noMountPoints, op)
    const before = readFileSync(join(first.path, '../root.json'), 'utf8')
    expect(await open().root(digest, noMountPoints, op)).toEqual(first)
    expect((await mountsHere()).length).toBe(1)
    execFileSync('umount', [first.path])
    expect((await open().root(digest, noMountPoints, op)).path).toBe(first.path)
    expect(readFileSync(join(first.path, 'bin/tool'), 'utf8')).toBe('tool')
    expect(readFileSync(join(first.path, '../root.json'), 'utf8')).toBe(before)
  })

  it('mounts a root that a crash left writable read-only again', async () => {
    const digest = await image()
    const { id, path } = await roots.root(digest, noMountPoints, op)
    await roots.release(id, op)
    execFileSync('mount', ['--bind', path, path])
    await open().root(digest, noMountPoints, op)
    expect(() => writeFileSync(join(path, 'new'), '')).toThrow('EROFS')
    expect((await mountsHere()).length).toBe(1)
  })

  it.each([true, false])(
    'makes a root again whose record cannot be read (still mounted: %s)',
    async (mounted) => {
      const digest = await image()
      const { id, path } = await roots.root(digest, noMountPoints, op)
      if (!mounted) await roots.release(id, op)
      writeFileSync(join(path, '../root.json'), '{')
      // It is listed for whoever takes all of them away.
      expect(await roots.list()).toEqual([{ id, path, mounted, record: null }])
      expect((await open().root(digest, noMountPoints, op)).path).toBe(path)
      expect(readFileSync(join(path, 'bin/tool'), 'utf8')).toBe('tool')
      expect((await mountsHere()).length).toBe(1)
      writeFileSync(join(path, '../root.json'), '{')
      await roots.remove(id, op)
      expect(readdirSync(join(folder, 'roots'))).toEqual([])
    },
  )

  it('releases and removes, any number of times', async () => {
    const { id, path } = await roots.root(await image(), noMountPoints, op)
    await roots.release(id, op)
    await roots.release(id, op)
    expect(await mountsHere()).toEqual([])
    expect((await roots.list()).map((root) => root.mounted)).toEqual([false])
    await roots.remove(id, op)
    await roots.remove(id, op)
    expect(await roots.list()).toEqual([])
    expect(readdirSync(join(path, '../..'))).toEqual([])
  })

  it('leaves nothing of an image that cannot be unpacked', async () => {
    const bad = await image([...base, { name: 'dev/sda', type: 'block-device' }])
    await expect(roots.root(bad, noMountPoints, op)).rejects.toMatchObject({ code: 'image.invalid' })
    const relative = { directories: ['/a/../b'], files: [] }
    await expect(roots.root(await image(), relative, op)).rejects.toMatchObject({ code: 'image.invalid' })
    expect(readdirSync(join(folder, 'roots'))).toEqual([])
    const clash = { directories: ['/bin/tool'], files: [] }
    await expect(roots.root(await image(), clash, op)).rejects.toMatchObject({ code: 'image.invalid' })
    expect(readdirSync(join(folder, 'roots'))).toEqual((await roots.list()).map((root) => root.id))
  })

  it('leaves nothing of a layer whose bytes went bad, so that it can be brought anew', async () => {
    const layer = await tarOf(base)
    const plain = () => storeImage(store, { layers: [layer] })
    const packed = () => storeImage(store, { layers: [layer], compression: 'gzip' })
    const turned = (bytes: Buffer) => bytes.with(700, (bytes[700] ?? 0) ^ 1)
    const cutOff = (bytes: Buffer) => bytes.subarray(0, 500)
    for (const [make, damage] of [
      [plain, turned],
      [plain, cutOff],
      [packed, (bytes: Buffer) => bytes.with(40, (bytes[40] ?? 0) ^ 1)],
      [packed, (bytes: Buffer) => bytes.subarray(0, 50)],
    ] as const) {
      const { digest } = await make()
      const blob = JSON.parse(readFileSync(store.path(digest), 'utf8')).layers[0].digest
      const good = readFileSync(store.path(blob))
      chmodSync(store.path(blob), 0o644)
      writeFileSync(store.path(blob), damage(good))
      await expect(roots.root(digest, noMountPoints, op)).rejects.toMatchObject({ code: 'content.corrupt' })
      expect(readdirSync(join(folder, 'roots'))).toEqual([])
      expect(await store.has(blob)).toBe(false)
      await make()
    }
    expect((await roots.root((await plain()).digest, noMountPoints, op)).path).toContain(folder)
  })

  it('leaves the blob of a layer that never was what the image says', async () => {
    const layer = await tarOf(base)
    const { digest } = await storeImage(store, { layers: [layer], diffIds: [digestOfBytes('other')] })
    await expect(roots.root(digest, noMountPoints, op)).rejects.toMatchObject({ code: 'image.invalid' })
    expect(await store.has(digestOfBytes(layer))).toBe(true)
  })

  it('removes what a crash left behind', async () => {
    const dead = execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }).trim()
    const token = '0'.repeat(16)
    // The second one: of a process that had this one's number, as servers in a container have.
    for (const pid of [dead, process.pid])
      mkdirSync(join(folder, `roots/.${pid}-${token}-1/root/bin`), { recursive: true })
    const mounted = join(folder, `roots/.${dead}-${token}-2/mounted`)
    mkdirSync(mounted, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', 'left-by-a-killed-server', mounted])
    await roots.root(await image(), noMountPoints, op)
    expect(readdirSync(join(folder, 'roots')).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('is never made upon what is there already', async () => {
    const stale = join(folder, 'making/root/of-another-image')
    mkdirSync(stale, { recursive: true })
    const wanted = {
      id: '0'.repeat(64),
      image: await loadImage(store, await image()),
      mountPoints: noMountPoints,
    }
    const making = makeRoot({ store, exec, ...wanted, sealing, folder: join(folder, 'making') }, op)
    await expect(making).rejects.toMatchObject({ code: 'store.unavailable' })
  })

  it('goes on for the others when one caller aborts, and stops when all have', async () => {
    const digest = await image()
    const leaving = new AbortController()
    const left = roots.root(digest, noMountPoints, { signal: leaving.signal })
    const staying = roots.root(digest, noMountPoints, op)
    leaving.abort(new Error('gone'))
    await expect(left).rejects.toMatchObject({ code: 'request.interrupted' })
    expect((await staying).path).toContain(folder)
    const other = { directories: ['/other'], files: [] }
    await expect(roots.root(digest, other, { signal: leaving.signal })).rejects.toMatchObject({
      code: 'request.interrupted',
    })
    expect((await roots.list()).length).toBe(1)
  })
})

describe('sealed bytes', () => {
  let folder: string
  let store: ContentStore

  beforeEach(async (ctx) => {
    if (!isRoot) ctx.skip('needs root to mount')
    folder = mkdtempSync(join(tmpdir(), 'basalt-roots-'))
    store = await openContentStore(join(folder, 'content'))
  })
  afterEach(async () => {
    for (const { path } of await readMounts()) if (path.startsWith(folder)) execFileSync('umount', [path])
    rmSync(folder, { recursive: true, force: true })
  })

  it('are the same wherever an image is unpacked', async () => {
    const { digest } = await storeImage(store, { layers: [await tarOf(base)] })
    const digests = new Set<string | null>()
    for (const place of ['one', 'two']) {
      const roots = createImageRoots({ store, folder: join(folder, place), exec, sealing: 'erofs' })
      await roots.root(digest, noMountPoints, op)
      for (const root of await roots.list()) digests.add(root.record?.erofsDigest ?? null)
    }
    expect(digests.size).toBe(1)
    expect([...digests][0]).toMatch(/^sha256:/)
  })

  it('that went bad are noticed, and made again at the next mount', async () => {
    const { digest } = await storeImage(store, { layers: [await tarOf(base)] })
    const open = () => createImageRoots({ store, folder: join(folder, 'roots'), exec, sealing: 'erofs' })
    const { id, path } = await open().root(digest, noMountPoints, op)
    expect(await open().isIntact(id)).toBe(true)
    await open().release(id, op)
    const file = join(path, '../root.erofs')
    chmodSync(file, 0o600)
    const bytes = readFileSync(file)
    writeFileSync(file, Buffer.concat([bytes.subarray(0, -1), Buffer.from([0xff])]))
    expect(await open().isIntact(id)).toBe(false)
    await open().root(digest, noMountPoints, op)
    expect(await open().isIntact(id)).toBe(true)
  })

  it('give way to a folder where the trial says that the kernel or the machine cannot', async () => {
    const { digest } = await storeImage(store, { layers: [await tarOf(base)] })
    const without: Exec = (file, args, options) =>
      exec(file === 'mkfs.erofs' ? 'no-such-program' : file, args, options)
    const roots = createImageRoots({ store, folder: join(folder, 'roots'), exec: without })
    expect(await roots.sealing()).toBe('folder')
    const { path } = await roots.root(digest, noMountPoints, op)
    expect(() => writeFileSync(join(path, 'new'), '')).toThrow('EROFS')
  })

  it('are chosen here, and a root of the other kind is made again', async () => {
    const { digest } = await storeImage(store, { layers: [await tarOf(base)] })
    const place = { store, folder: join(folder, 'roots'), exec }
    const { id } = await createImageRoots({ ...place, sealing: 'folder' }).root(digest, noMountPoints, op)
    const roots = createImageRoots(place)
    expect(await roots.sealing()).toBe('erofs')
    await roots.release(id, op)
    await roots.root(digest, noMountPoints, op)
    expect((await roots.list()).map((root) => root.record?.sealing)).toEqual(['erofs'])
  })

  it('say that the disk is full and leave nothing', async () => {
    const { digest } = await storeImage(store, {
      layers: [await tarOf([{ name: 'big', content: Buffer.alloc(3_000_000, 1) }])],
    })
    const small = join(folder, 'small')
    mkdirSync(small)
    for (const size of ['2m', '5m']) {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', small])
      const roots = createImageRoots({ store, folder: join(small, 'roots'), exec, sealing: 'erofs' })
      await expect(roots.root(digest, noMountPoints, op)).rejects.toMatchObject({ code: 'host.disk-full' })
      expect(readdirSync(join(small, 'roots'))).toEqual([])
      execFileSync('umount', [small])
    }
  })
})
