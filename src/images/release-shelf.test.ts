import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf, digestOfBytes } from '../core/digest.ts'
import type { Digest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { Release, ReleaseService } from '../core/release.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import { mediaTypes } from './descriptor.ts'
import { type Member, storeImage, storeJson, tarOf } from './image.fixture.ts'
import { openContentStore } from './oci-layout-store.ts'
import { releaseType } from './release-artifact.ts'
import { createReleaseShelf, type OciReleaseShelf } from './release-shelf.ts'

let folder: string
let store: ContentStore
let shelf: OciReleaseShelf
let release: Release
let web: Descriptor
let bill: Descriptor
const op: Op = { signal: new AbortController().signal }

const service = (image: Digest): ReleaseService => ({
  image,
  run: {
    command: null,
    env: { GREETING: 'grüße' },
    ports: [{ port: 8080, protocol: 'http' }],
    health: {
      kind: 'http',
      path: '/up',
      port: 8080,
      intervalMs: 1000,
      timeoutMs: 500,
      startMs: 5000,
      retries: 3,
    },
    needs: [],
    writable: [{ path: '/tmp', sizeBytes: 1 << 20 }],
    volumes: [],
    stateful: false,
    limits: { memoryBytes: null, cpus: 0.5, pids: 100 },
    user: null,
    capabilities: ['CAP_NET_BIND_SERVICE'],
    stop: { signal: 'SIGTERM', graceMs: 1000 },
  },
  expose: [{ kind: 'http', host: '*', path: '/', port: 8080, entryPort: null }],
  replicas: 2,
  labels: { team: 'shop' },
})

/** A document about an image, as builders attach them. */
async function attach(subject: Descriptor, document: unknown): Promise<Descriptor> {
  const layer = await storeJson(store, 'application/vnd.cyclonedx+json', document)
  const manifest = await storeJson(store, mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType: layer.mediaType,
    config: await storeJson(store, mediaTypes.empty, {}),
    layers: [layer],
    subject,
  })
  const descriptor = { ...manifest, artifactType: layer.mediaType }
  await store.refer(descriptor)
  return descriptor
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'basalt-release-'))
  store = await openContentStore(join(folder, 'store'))
  shelf = createReleaseShelf(store)
  web = await storeImage(store, { layers: [await tarOf([{ name: 'web', content: 'w'.repeat(100_000) }])] })
  const api = await storeImage(store, {
    layers: [await tarOf([{ name: 'api', content: 'a' }])],
    compression: 'gzip',
  })
  bill = await attach(web, { packages: ['one'] })
  await attach(await storeImage(store, { layers: [] }), { packages: ['of an image outside the release'] })
  release = {
    schema: 'basalt.release/v1',
    system: 'shop',
    services: { web: service(web.digest), api: service(api.digest), worker: service(web.digest) },
    source: { revision: 'a'.repeat(40), dirty: false },
    builders: { native: '1' },
    lock: digestOfBytes('lock'),
  }
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function exported(from: OciReleaseShelf, artifact: Digest): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of from.exportArchive(artifact)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function* stream(bytes: Buffer, chunkSize = 1000): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += chunkSize) yield bytes.subarray(start, start + chunkSize)
}

const openEmpty = async (name = 'other') => {
  const other = await openContentStore(join(folder, name))
  return { other, otherShelf: createReleaseShelf(other) }
}
const blobsOf = (of: ContentStore) => readdirSync(join(of.folder, 'blobs/sha256'))

describe('a release', () => {
  it('is stored once, under the digest of its canonical JSON', async () => {
    const stored = await shelf.put(release)
    expect(stored.releaseDigest).toBe(digestOf(release))
    const before = blobsOf(store)
    expect(await shelf.put(structuredClone(release))).toEqual(stored)
    // Not even when something was attached to its images later.
    await attach(web, { scanned: true })
    expect(await createReleaseShelf(store).put(release)).toEqual(stored)
    expect(blobsOf(store).filter((blob) => !before.includes(blob)).length).toBe(2)
    expect(await shelf.get(stored.releaseDigest)).toEqual(release)
  })

  it('is not stored when an image, or a layer of it, is missing', async () => {
    const absent = { ...release, services: { web: service(digestOfBytes('absent')) } }
    await expect(shelf.put(absent)).rejects.toMatchObject({ code: 'image.unknown' })
    const layer = JSON.parse(readFileSync(store.path(web.digest), 'utf8')).layers[0].digest
    rmSync(store.path(layer))
    await expect(shelf.put(release)).rejects.toMatchObject({ code: 'image.unknown' })
    expect((await store.references()).filter((entry) => entry.artifactType === releaseType)).toEqual([])
  })

  it('is stored whatever else index.json lists', async () => {
    const absent = digestOfBytes('absent')
    await store.refer({ mediaType: mediaTypes.manifest, digest: absent, size: 1 })
    await store.refer(await storeJson(store, mediaTypes.manifest, ['no', 'manifest']))
    const { artifact } = await shelf.put(release)
    expect((await store.read(artifact)).toString()).toContain(bill.digest)
  })

  it('is refused when it has members that this version does not know', async () => {
    for (const document of [
      { ...release, more: 1 },
      { ...release, schema: 'basalt.release/v2' },
      { ...release, services: { web: { ...release.services['web'], replicas: 0 } } },
      {
        ...release,
        services: { web: { ...service(web.digest), run: { ...service(web.digest).run, needs: ['db'] } } },
      },
      [],
    ]) {
      const { digest } = await storeJson(store, releaseType, document)
      await expect(shelf.get(digest)).rejects.toMatchObject({ code: 'release.archive-invalid' })
    }
    // Same meaning, other bytes.
    const { digest } = await store.put(Buffer.from(JSON.stringify(release, null, 2)))
    await expect(shelf.get(digest)).rejects.toMatchObject({ code: 'release.archive-invalid' })
    await expect(shelf.get(digestOfBytes('x'))).rejects.toMatchObject({ code: 'release.unknown' })
  })
})

describe('an archive', () => {
  it('goes round: exported, imported into an empty store, exported again to the same bytes', async () => {
    const stored = await shelf.put(release)
    const bytes = await exported(shelf, stored.artifact)
    expect((await exported(shelf, stored.artifact)).equals(bytes)).toBe(true)
    const { other, otherShelf } = await openEmpty()
    expect(await otherShelf.importArchive(stream(bytes), op)).toEqual({ ...stored, release })
    expect((await exported(otherShelf, stored.artifact)).equals(bytes)).toBe(true)
    expect(await otherShelf.get(stored.releaseDigest)).toEqual(release)
    expect(await otherShelf.put(release)).toEqual(stored)
    // What is attached to its images came along, and nothing else.
    expect((await other.references()).map(({ digest }) => digest)).toContain(bill.digest)
    expect((await other.read(bill.digest)).length).toBe(bill.size)
    expect(readFileSync(other.path(web.digest), 'utf8')).toContain('"layers"')
    expect(readdirSync(join(other.folder, 'ingest'))).toEqual([])
    // A second import changes nothing.
    const before = [blobsOf(other), await other.references()]
    await otherShelf.importArchive(stream(bytes, 77_777), op)
    expect([blobsOf(other), await other.references()]).toEqual(before)
  })

  it('is one that skopeo and tar read', async () => {
    const { artifact } = await shelf.put(release)
    const file = join(folder, 'shop.tar')
    writeFileSync(file, await exported(shelf, artifact))
    expect(execFileSync('tar', ['-tf', file], { encoding: 'utf8' }).split('\n').slice(0, 4)).toEqual([
      'oci-layout',
      'index.json',
      'blobs/',
      'blobs/sha256/',
    ])
    const unpacked = join(folder, 'unpacked')
    mkdirSync(unpacked)
    execFileSync('tar', ['-C', unpacked, '-xf', file])
    for (const source of [`oci-archive:${file}:web`, `oci:${unpacked}:worker`]) {
      const inspected = JSON.parse(execFileSync('skopeo', ['inspect', source], { encoding: 'utf8' }))
      expect(inspected.Digest).toBe(web.digest)
    }
  })

  it('is not written past a blob that went bad', async () => {
    const { artifact } = await shelf.put(release)
    const layer = JSON.parse(readFileSync(store.path(web.digest), 'utf8')).layers[0].digest
    chmodSync(store.path(layer), 0o644)
    writeFileSync(store.path(layer), readFileSync(store.path(layer)).fill('x', 600, 601))
    await expect(exported(shelf, artifact)).rejects.toMatchObject({ code: 'content.corrupt' })
    expect(await store.has(layer)).toBe(false)
  })

  it('takes a blob that was cut off for corrupt, not for a bad image', async () => {
    const { artifact } = await shelf.put(release)
    const layer = JSON.parse(readFileSync(store.path(web.digest), 'utf8')).layers[0].digest
    truncateSync(store.path(layer), 1000)
    await expect(exported(shelf, artifact)).rejects.toMatchObject({ code: 'content.corrupt' })
    expect(await store.has(layer)).toBe(false)
  })
})

describe('a bad archive', () => {
  let good: Buffer
  let artifact: Digest
  beforeEach(async () => {
    artifact = (await shelf.put(release)).artifact
    good = await exported(shelf, artifact)
  })

  async function expectRefused(
    bytes: Buffer,
    reason = /^the archive cannot be imported|release/,
  ): Promise<void> {
    const { other, otherShelf } = await openEmpty()
    await expect(otherShelf.importArchive(stream(bytes), op)).rejects.toMatchObject({
      code: 'release.archive-invalid',
      message: expect.stringMatching(reason),
    })
    expect(await other.references()).toEqual([])
    expect(blobsOf(other)).toEqual([])
    expect(readdirSync(join(other.folder, 'ingest'))).toEqual([])
  }

  /** The good archive's members, to be written again in another way. */
  async function rewritten(change: (members: Member[]) => Member[]): Promise<Buffer> {
    const from = join(folder, 'good')
    mkdirSync(from)
    writeFileSync(join(folder, 'good.tar'), good)
    execFileSync('tar', ['-C', from, '-xf', join(folder, 'good.tar')])
    const names = [
      'oci-layout',
      'index.json',
      ...readdirSync(join(from, 'blobs/sha256')).map((name) => `blobs/sha256/${name}`),
    ]
    return tarOf(change(names.map((name) => ({ name, content: readFileSync(join(from, name)) }))))
  }
  const blobName = (digest: Digest) => `blobs/sha256/${digest.slice(7)}`
  const asMember = (content: string): Member => ({ name: blobName(digestOfBytes(content)), content })

  it('is refused when it is cut off, anywhere', async () => {
    for (const part of [0, 0.001, 0.01, 0.3, 0.5, 0.9, 0.98]) {
      await expectRefused(good.subarray(0, Math.floor(good.length * part)))
      await expectRefused(good.subarray(0, Math.floor((good.length * part) / 512) * 512))
    }
  })

  it('is refused when a bit of any blob is turned', async () => {
    for (const inside of ['wwwwwwww', '"diff_ids"', 'cyclonedx', 'CAP_NET_BIND', 'basalt.release/v1']) {
      const bytes = Buffer.from(good)
      const at = good.lastIndexOf(inside)
      expect([inside, at > 0]).toEqual([inside, true])
      bytes[at] = (bytes[at] ?? 0) ^ 1
      await expectRefused(bytes)
    }
  })

  it('is refused when a blob is missing', async () => {
    const bytes = await rewritten((members) =>
      members.filter((member) => member.name !== blobName(web.digest)),
    )
    await expectRefused(bytes, new RegExp(`it lacks ${web.digest}`))
  })

  it('is refused when it has a blob that nothing refers to, or one twice', async () => {
    await expectRefused(
      await rewritten((members) => [...members, asMember('stowaway')]),
      /nothing in the release refers/,
    )
    rmSync(join(folder, 'good'), { recursive: true })
    await expectRefused(await rewritten((members) => [...members, members[4] as Member]), /twice/)
  })

  it.each<[string, Member]>([
    ['a path that climbs', { name: '../../etc/passwd', content: 'x' }],
    ['an absolute path', { name: '/etc/passwd', content: 'x' }],
    ['a file of its own', { name: 'blobs/readme', content: 'x' }],
    ['a blob of another hash', { name: `blobs/sha512/${'0'.repeat(128)}`, content: 'x' }],
    ['a symbolic link', { name: blobName(digestOfBytes('x')), type: 'symlink', linkname: '/etc/passwd' }],
    ['a hard link', { name: blobName(digestOfBytes('x')), type: 'link', linkname: 'index.json' }],
    ['a device', { name: blobName(digestOfBytes('x')), type: 'block-device' }],
    ['a huge index.json', { name: 'index.json', content: Buffer.alloc(5 * 2 ** 20, 32) }],
    ['another folder', { name: 'blobs/sha512/', type: 'directory' }],
  ])('is refused when it has %s', async (_, member) => {
    await expectRefused(
      await rewritten((members) => [member, ...members.filter(({ name }) => name !== member.name)]),
    )
  })

  it('is refused when it claims a size that no disk has', async () => {
    const header = Buffer.from(good.subarray(0, 512))
    header.write('77777777777', 124, 'latin1')
    await expectRefused(Buffer.concat([header, good.subarray(512)]))
  })

  it('is refused when it is something else', async () => {
    await expectRefused(Buffer.from('no archive at all '.repeat(100)))
    await expectRefused(
      await tarOf([{ name: 'src/main.ts', content: 'x' }]),
      /no place in an OCI image layout/,
    )
    await expectRefused(await tarOf([]), /no OCI image layout/)
    await expectRefused(
      await tarOf([
        { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
        { name: 'index.json', content: '{"schemaVersion":2,"manifests":[]}' },
      ]),
      /lists no release/,
    )
  })

  /** The good archive, its index changed. */
  async function withIndex(change: (index: { manifests: Descriptor[] }) => void): Promise<Buffer> {
    const index = JSON.parse((await store.read(artifact)).toString())
    change(index)
    const evil = JSON.stringify(index)
    const root = { ...(await store.references()).find(({ digest }) => digest === artifact) }
    const manifests = [{ ...root, digest: digestOfBytes(evil), size: evil.length }]
    const gone = ['index.json', ...(evil.includes(artifact) ? [] : [blobName(artifact)])]
    return rewritten((members) => [
      ...members.filter(({ name }) => !gone.includes(name)),
      asMember(evil),
      { name: 'index.json', content: JSON.stringify({ schemaVersion: 2, manifests }) },
    ])
  }

  it('is refused when its index slips in another release', async () => {
    const bytes = await withIndex(({ manifests }) => {
      manifests.push({ ...web, artifactType: releaseType })
    })
    await expectRefused(bytes, /no index of a release/)
  })

  it('is refused when it says of one blob that it is two things', async () => {
    const layer = JSON.parse(readFileSync(store.path(web.digest), 'utf8')).layers[0] as Descriptor
    const asManifest = await withIndex(({ manifests }) => {
      manifests.push(layer, { ...layer, mediaType: mediaTypes.manifest })
    })
    await expectRefused(asManifest, /said to be both/)
    rmSync(join(folder, 'good'), { recursive: true })
    const larger = await withIndex(({ manifests }) => {
      manifests.push({ ...web, size: web.size + 1 })
    })
    await expectRefused(larger, /bytes instead of/)
  })

  it('cannot say anew what the store lists already', async () => {
    const { other, otherShelf } = await openEmpty()
    await otherShelf.importArchive(stream(good), op)
    const before = await other.references()
    const { length: size } = await store.read(artifact)
    const bytes = await withIndex(({ manifests }) => {
      manifests.push({ mediaType: mediaTypes.index, digest: artifact, size })
    })
    await otherShelf.importArchive(stream(bytes), op)
    expect((await other.references()).slice(0, before.length)).toEqual(before)
  })

  it('leaves nothing when the import is interrupted', async () => {
    const { other, otherShelf } = await openEmpty()
    const controller = new AbortController()
    const slow = (async function* () {
      for await (const chunk of stream(good, 20_000)) {
        yield chunk
        controller.abort()
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    })()
    await expect(otherShelf.importArchive(slow, { signal: controller.signal })).rejects.toMatchObject({
      code: 'request.interrupted',
    })
    expect([await other.references(), blobsOf(other)]).toEqual([[], []])
    expect(readdirSync(join(other.folder, 'ingest'))).toEqual([])
  })

  it('says that the disk is full, and leaves nothing', async (ctx) => {
    if (process.getuid?.() !== 0) ctx.skip('needs root to mount a small tmpfs')
    const small = join(folder, 'small')
    mkdirSync(small)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=100k', 'tmpfs', small])
    try {
      const { other, otherShelf } = await openEmpty('small')
      await expect(otherShelf.importArchive(stream(good), op)).rejects.toMatchObject({
        code: 'host.disk-full',
      })
      expect([await other.references(), blobsOf(other)]).toEqual([[], []])
    } finally {
      execFileSync('umount', [small])
    }
  })
})
