import { execFileSync } from 'node:child_process'
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOfBytes } from '../core/digest.ts'
import type { Digest } from '../core/ids.ts'
import { BasaltError, invariant } from '../errors.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import { mediaTypes } from './descriptor.ts'
import { ingestPath, openContentStore } from './oci-layout-store.ts'

let folder: string
let store: ContentStore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'basalt-layout-'))
  store = await openContentStore(join(folder, 'layout'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const leftovers = () => readdir(join(store.folder, 'ingest'))
const descriptorOf = (digest: Digest): Descriptor => ({ mediaType: mediaTypes.manifest, digest, size: 1 })

describe('openContentStore', () => {
  it('makes a valid empty OCI layout, and opens it again', async () => {
    expect(JSON.parse(await readFile(join(store.folder, 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    })
    expect(await (await openContentStore(store.folder)).references()).toEqual([])
  })

  it('refuses a folder with another layout version', async () => {
    await writeFile(join(store.folder, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}')
    await expect(openContentStore(store.folder)).rejects.toMatchObject({ code: 'host.home-invalid' })
  })

  it('removes what dead processes left behind, and nothing of living ones', async () => {
    const dead = execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }).trim()
    const token = '0'.repeat(16)
    await writeFile(join(store.folder, `ingest/${dead}-${token}-1`), 'half')
    await mkdir(join(store.folder, `ingest/${dead}-${token}-2/blobs`), { recursive: true })
    await writeFile(
      join(store.folder, `ingest/${process.pid}-${token}-3`),
      'of an earlier process of this number',
    )
    await writeFile(join(store.folder, '.index.json.0123456789ab.tmp'), 'half')
    const inProgress = ingestPath(store.folder)
    await writeFile(inProgress, 'in progress')
    await openContentStore(store.folder)
    expect(await leftovers()).toEqual([basename(inProgress)])
    expect((await readdir(store.folder)).sort()).toEqual(['blobs', 'index.json', 'ingest', 'oci-layout'])
  })
})

describe('put', () => {
  it('stores bytes and streams alike, read-only, under their digest', async () => {
    const bytes = Buffer.from('hello')
    const blob = await store.put(bytes)
    expect(blob).toEqual({ digest: digestOfBytes(bytes), sizeBytes: 5 })
    expect(await store.put(Readable.from([Buffer.from('he'), Buffer.from('llo')]))).toEqual(blob)
    expect(await store.read(blob.digest)).toEqual(bytes)
    expect((await stat(store.path(blob.digest))).mode & 0o777).toBe(0o444)
    expect(await store.has(blob.digest)).toBe(true)
    expect(await store.size(blob.digest)).toBe(5)
    expect(await leftovers()).toEqual([])
  })

  it('keeps nothing of content that is not what was expected', async () => {
    const expected = digestOfBytes('right')
    for (const content of [Buffer.from('wrong'), Readable.from([Buffer.from('wrong')])])
      await expect(store.put(content, expected)).rejects.toMatchObject({ code: 'content.corrupt' })
    expect(await store.has(expected)).toBe(false)
    expect(await store.has(digestOfBytes('wrong'))).toBe(false)
    expect(await leftovers()).toEqual([])
  })

  it('passes the failure of a source on and keeps nothing', async () => {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('part')
        throw new Error('connection reset')
      })(),
    )
    await expect(store.put(broken)).rejects.toThrow('connection reset')
    expect(await leftovers()).toEqual([])
  })

  it('takes the same blob from many writers at once', async () => {
    const bytes = Buffer.alloc(200_000, 7)
    const blobs = await Promise.all(
      Array.from({ length: 24 }, (_, n) => store.put(n % 2 ? bytes : Readable.from([bytes]))),
    )
    expect(new Set(blobs.map((blob) => blob.digest)).size).toBe(1)
    expect(await store.read(digestOfBytes(bytes))).toEqual(bytes)
    expect(await leftovers()).toEqual([])
  })

  it('mends a blob that went bad on the disk', async () => {
    const { digest } = await store.put(Buffer.from('precious'))
    execFileSync('chmod', ['644', store.path(digest)])
    await writeFile(store.path(digest), 'prec1ous')
    await store.put(Readable.from([Buffer.from('precious')]))
    expect((await store.read(digest)).toString()).toBe('precious')
  })

  it.each(['read', 'verify'] as const)('does not count as there what %s found to be bad', async (how) => {
    const { digest } = await store.put(Buffer.from('precious'))
    await store.verify(digest)
    execFileSync('chmod', ['644', store.path(digest)])
    await writeFile(store.path(digest), 'prec1ous')
    const corrupt = await store[how](digest).catch((cause: unknown) => cause as BasaltError)
    invariant(corrupt instanceof BasaltError, 'it was not noticed')
    expect(corrupt.code).toBe('content.corrupt')
    expect(await store.has(digest)).toBe(false)
    expect(await readFile(String(corrupt.details['aside']), 'utf8')).toBe('prec1ous')
    await expect(store[how](digest)).rejects.toMatchObject({ code: 'image.unknown' })
  })

  it('says that the disk is full and keeps nothing', async (ctx) => {
    if (process.getuid?.() !== 0) ctx.skip('needs root to mount a small tmpfs')
    const small = join(folder, 'small')
    await mkdir(small)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small])
    try {
      const full = await openContentStore(small)
      const bytes = Buffer.alloc(2_000_000, 1)
      await expect(full.put(bytes)).rejects.toMatchObject({ code: 'host.disk-full' })
      await expect(full.put(Readable.from([bytes]))).rejects.toMatchObject({ code: 'host.disk-full' })
      expect(await readdir(join(small, 'ingest'))).toEqual([])
      expect(await full.has(digestOfBytes(bytes))).toBe(false)
    } finally {
      execFileSync('umount', [small])
    }
  })
})

describe('read', () => {
  it('names what is not there', async () => {
    const absent = digestOfBytes('absent')
    await expect(store.read(absent)).rejects.toMatchObject({ code: 'image.unknown' })
    await expect(store.size(absent)).rejects.toMatchObject({ code: 'image.unknown' })
    await expect(store.open(absent)).rejects.toMatchObject({ code: 'image.unknown' })
  })

  it('never forms a path from something that is not a digest', () => {
    expect(() => store.path('sha256:../../../etc/passwd')).toThrow('is not a digest')
  })
})

describe('adopt', () => {
  it('moves blobs over, in place of damaged ones too', async () => {
    const staging = await openContentStore(join(folder, 'staging'))
    const { digest } = await staging.put(Buffer.from('good'))
    await store.put(Buffer.from('good'))
    execFileSync('chmod', ['644', store.path(digest)])
    await writeFile(store.path(digest), 'evil')
    await store.adopt(staging, [digest])
    expect((await store.read(digest)).toString()).toBe('good')
    expect(await staging.has(digest)).toBe(false)
  })
})

describe('take', () => {
  it('moves a file in, in place of a damaged blob too, and leaves a good one alone', async () => {
    const file = join(folder, 'file')
    const blob = { digest: digestOfBytes('taken'), sizeBytes: 5 }
    for (const damage of ['', 'x', '']) {
      if (damage !== '') await appendFile(store.path(blob.digest), damage)
      await writeFile(file, 'taken')
      await store.take(file, blob)
      await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' })
      expect((await store.read(blob.digest)).toString()).toBe('taken')
    }
  })
})

describe('refer', () => {
  it('adds, replaces and survives many writers at once', async () => {
    const digests = Array.from({ length: 20 }, (_, n) => digestOfBytes(`${n}`))
    await Promise.all(digests.map((digest) => store.refer(descriptorOf(digest))))
    const first = digests[0] as Digest
    await store.refer({ ...descriptorOf(first), annotations: { note: 'new' } })
    const references = await (await openContentStore(store.folder)).references()
    expect(references.map((entry) => entry.digest)).toEqual(digests)
    expect(references[0]?.annotations).toEqual({ note: 'new' })
  })

  it('keeps members that it does not know', async () => {
    const withPlatform = {
      ...descriptorOf(digestOfBytes('x')),
      platform: { os: 'linux', architecture: 'amd64' },
    }
    await store.refer(withPlatform)
    expect(await store.references()).toEqual([withPlatform])
  })

  it('refuses to overwrite an index that it cannot read', async () => {
    await appendFile(join(store.folder, 'index.json'), '}')
    await expect(store.refer(descriptorOf(digestOfBytes('x')))).rejects.toMatchObject({
      code: 'content.corrupt',
    })
    await expect(store.references()).rejects.toMatchObject({ code: 'content.corrupt' })
  })
})
