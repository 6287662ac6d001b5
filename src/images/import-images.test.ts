import { execFileSync, spawnSync } from 'node:child_process'
import { createReadStream, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOfBytes } from '../core/digest.ts'
import type { Op } from '../core/op.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import { mediaTypes } from './descriptor.ts'
import { type ImageFixture, type Member, storeImage, storeJson, tarOf } from './image.fixture.ts'
import { loadImage, machinePlatform } from './image.ts'
import { type ImportedImage, importImages } from './import-images.ts'
import { openContentStore } from './oci-layout-store.ts'

const op: Op = { signal: new AbortController().signal }
const { architecture } = machinePlatform
const foreign = architecture === 'arm64' ? 'amd64' : 'arm64'
const here = `linux/${architecture}`

let folder: string
/** What another tool has. */
let source: ContentStore
let store: ContentStore
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'basalt-image-import-'))
  source = await openContentStore(join(folder, 'source'))
  store = await openContentStore(join(folder, 'store'))
})
afterEach(() => rm(folder, { recursive: true }))

const layer = (content: string) => tarOf([{ name: 'file', content }])
const image = async (content: string, more: Partial<ImageFixture> = {}): Promise<Descriptor> =>
  storeImage(source, { architecture, layers: [await layer(content)], ...more })

/** The tar of an OCI layout with all blobs of `source`. */
async function layoutOf(manifests: readonly unknown[], change = (members: Member[]) => members) {
  const folder = join(source.folder, 'blobs/sha256')
  const blobs = readdirSync(folder).map((name) => ({
    name: `blobs/sha256/${name}`,
    content: readFileSync(join(folder, name)),
  }))
  return tarOf(
    change([
      { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
      { name: 'index.json', content: JSON.stringify({ schemaVersion: 2, manifests }) },
      { name: 'blobs/sha256/', type: 'directory' },
      ...blobs,
    ]),
  )
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
}
const take = (bytes: Buffer): Promise<readonly ImportedImage[]> => importImages(store, chunksOf(bytes), op)
const refused = (message: RegExp) =>
  expect.objectContaining({ code: 'image.invalid', message: expect.stringMatching(message) })

/** Nothing of a refused archive may be left. */
async function expectNothingLeft(): Promise<void> {
  expect(await store.references()).toEqual([])
  expect(readdirSync(join(store.folder, 'blobs/sha256'))).toEqual([])
  expect(readdirSync(join(store.folder, 'ingest'))).toEqual([])
}

describe('an OCI layout', () => {
  it.each([
    ['plain', (bytes: Buffer) => bytes],
    ['compressed', (bytes: Buffer) => gzipSync(bytes)],
  ])('is taken in, %s', async (_, packed) => {
    const wanted = await image('hello', { compression: 'gzip' })
    const named = { ...wanted, annotations: { 'org.opencontainers.image.ref.name': 'hello:1' } }
    const [imported, ...others] = await take(packed(await layoutOf([named])))
    expect(others).toEqual([])
    expect(imported).toMatchObject({ image: wanted.digest, name: 'hello:1', platform: here })
    expect((await loadImage(store, wanted.digest)).layers).toHaveLength(1)
    expect(await store.references()).toEqual([wanted])
    expect(readdirSync(join(store.folder, 'ingest'))).toEqual([])
  })

  it('gives the image for this machine out of several, and needs the others no more', async () => {
    const mine = await image('mine')
    const other = await image('other', { architecture: foreign })
    const attached = await storeJson(source, mediaTypes.manifest, { any: 'thing' })
    const platform = (name: string, os = 'linux') => ({ platform: { os, architecture: name } })
    const index = await storeJson(source, mediaTypes.index, {
      schemaVersion: 2,
      manifests: [
        { ...attached, ...platform('unknown', 'unknown') },
        { ...other, ...platform(foreign) },
        { ...mine, ...platform(architecture) },
      ],
    })
    const withoutOther = (members: Member[]) =>
      members.filter(({ name }) => !name.includes(other.digest.slice('sha256:'.length)))
    const imported = await take(await layoutOf([index], withoutOther))
    expect(imported.map(({ image }) => image)).toEqual([mine.digest])
    expect(await store.has(index.digest)).toBe(false)
  })

  it('gives all of several images, and passes over what is attached to them', async () => {
    const one = await image('one')
    const two = await image('two')
    const bill = await storeJson(source, mediaTypes.manifest, {
      schemaVersion: 2,
      config: await storeJson(source, mediaTypes.empty, {}),
      layers: [],
    })
    const imported = await take(await layoutOf([one, { ...bill, artifactType: 'application/x' }, bill, two]))
    expect(imported.map(({ image }) => image)).toEqual([one.digest, two.digest])
  })

  it('is refused when it is for other machines only, which it names', async () => {
    const other = await image('other', { architecture: foreign })
    await expect(take(await layoutOf([other]))).rejects.toEqual(
      refused(new RegExp(`no image for ${here}, only for linux/${foreign}`)),
    )
    await expectNothingLeft()
  })

  it.each([
    ['a bit of a blob is turned', /content that should be sha256:/, flipped],
    ['a blob is missing', /it lacks sha256:/, (all: Member[]) => all.slice(0, -1)],
    ['a blob is twice in it', /twice/, (all: Member[]) => [...all, ...all.slice(-1)]],
    ['it has no index', /neither an OCI image layout/, (all: Member[]) => all.slice(2)],
  ])('is refused when %s', async (_, message, change) => {
    const archive = await layoutOf([await image('hello')], change)
    await expect(take(archive)).rejects.toEqual(refused(message))
    await expectNothingLeft()
  })

  it('is refused when a layer has another content than its image says', async () => {
    const bad = await image('hello', { compression: 'gzip', diffIds: [digestOfBytes(Buffer.from('other'))] })
    await expect(take(await layoutOf([bad]))).rejects.toEqual(refused(/its content is sha256:/))
    await expectNothingLeft()
  })

  it.each([
    ['cut off', (bytes: Buffer) => bytes.subarray(0, 3000)],
    ['empty', () => Buffer.alloc(0)],
    ['no tar', () => Buffer.from('x'.repeat(2000))],
    ['cut off as gzip', (bytes: Buffer) => gzipSync(bytes).subarray(0, 200)],
  ])('is refused when it is %s', async (_, damage) => {
    await expect(take(damage(await layoutOf([await image('hello')])))).rejects.toEqual(
      refused(/cannot be imported/),
    )
    await expectNothingLeft()
  })
})

/** One byte of each blob. */
function flipped(members: Member[]): Member[] {
  return members.map((member) => {
    if (!Buffer.isBuffer(member.content)) return member
    const content = Buffer.from(member.content)
    content[0] = (content[0] ?? 0) ^ 1
    return { ...member, content }
  })
}

describe('docker save', () => {
  async function saved(change: Partial<Record<'config' | 'layer', Buffer>> = {}): Promise<Buffer> {
    const one = await layer('one')
    const two = await layer('two')
    const config = Buffer.from(
      JSON.stringify({
        os: 'linux',
        architecture,
        rootfs: { type: 'layers', diff_ids: [one, two, one].map((bytes) => digestOfBytes(bytes)) },
        config: { Cmd: ['/bin/sh'] },
      }),
    )
    const hex = digestOfBytes(config).slice('sha256:'.length)
    const manifest = [
      { Config: `${hex}.json`, RepoTags: ['shop:1'], Layers: ['a/layer.tar', 'b/layer.tar', 'c/layer.tar'] },
    ]
    return tarOf([
      { name: 'a/', type: 'directory' },
      { name: 'a/VERSION', content: '1.0' },
      { name: 'a/layer.tar', content: change.layer ?? one },
      { name: 'b/layer.tar', content: gzipSync(two) },
      { name: 'c/layer.tar', type: 'symlink', linkname: '../a/layer.tar' },
      { name: `${hex}.json`, content: change.config ?? config },
      { name: 'manifest.json', content: JSON.stringify(manifest) },
    ])
  }

  it('is taken in, with the same digest each time', async () => {
    const [imported] = await take(await saved())
    expect(imported).toMatchObject({ name: 'shop:1', platform: here })
    const { config, layers } = await loadImage(store, imported?.image ?? 'sha256:')
    expect(config.command).toEqual(['/bin/sh'])
    expect(layers.map(({ compression }) => compression)).toEqual(['none', 'gzip', 'none'])
    expect(await take(await saved())).toEqual([imported])
    expect(await store.references()).toHaveLength(1)
  })

  it.each([
    ['a layer', { layer: Buffer.from('other') }, /its content is sha256:/],
    ['the configuration', { config: Buffer.from('{}') }, /\.json is sha256:/],
  ])('is refused when %s is not what was named', async (_, change, message) => {
    await expect(take(await saved(change))).rejects.toEqual(refused(message))
    await expectNothingLeft()
  })
})

describe.skipIf(spawnSync('skopeo', ['--version']).error !== undefined)(
  'skopeo (skipped where it is missing)',
  () => {
    it.each(['oci-archive', 'docker-archive'])('writes what is taken in, as %s', async (transport) => {
      const wanted = await image('hello')
      await source.refer(wanted)
      const archive = join(folder, 'archive.tar')
      const to = `${transport}:${archive}:shop:1`
      execFileSync('skopeo', ['--insecure-policy', 'copy', '-q', `oci:${source.folder}`, to])
      const [imported] = await importImages(store, createReadStream(archive), op)
      expect(imported?.name).toMatch(/shop:1$/)
      const { config, layers } = await loadImage(store, imported?.image ?? 'sha256:')
      expect(config.platform.architecture).toBe(architecture)
      expect(layers.map(({ diffId }) => diffId)).toEqual([digestOfBytes(await layer('hello'))])
    })
  },
)
