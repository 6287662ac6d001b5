import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOfBytes } from '../core/digest.ts'
import type { ContentStore } from './content-store.ts'
import { mediaTypes } from './descriptor.ts'
import { storeImage, storeJson, tarOf } from './image.fixture.ts'
import { loadImage } from './image.ts'
import { openContentStore } from './oci-layout-store.ts'

let folder: string
let store: ContentStore
let layer: Buffer

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'basalt-image-'))
  store = await openContentStore(folder)
  layer = await tarOf([{ name: 'x', content: 'x' }])
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const amd64 = { os: 'linux', architecture: 'amd64' }

async function storeIndex(platforms: readonly { os: string; architecture: string }[]) {
  const manifests = await Promise.all(
    platforms.map(async (platform) => ({
      ...(await storeImage(store, { layers: [layer], architecture: platform.architecture })),
      platform,
    })),
  )
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests }
  return { ...(await storeJson(store, mediaTypes.index, index)), manifests }
}

describe('loadImage', () => {
  it('reads what an instance needs, and fills in what is absent', async () => {
    const full = await storeImage(store, {
      layers: [layer, layer],
      compression: 'gzip',
      config: {
        Env: ['A=1'],
        Entrypoint: ['/bin/x'],
        Cmd: null,
        WorkingDir: '/srv',
        User: 'web',
        Labels: { a: 'b' },
      },
    })
    const image = await loadImage(store, full.digest)
    expect(image.config).toMatchObject({
      env: ['A=1'],
      entrypoint: ['/bin/x'],
      command: [],
      workdir: '/srv',
      user: 'web',
      stopSignal: null,
      labels: { a: 'b' },
    })
    expect(image.layers.map(({ diffId, compression }) => ({ diffId, compression }))).toEqual([
      { diffId: digestOfBytes(layer), compression: 'gzip' },
      { diffId: digestOfBytes(layer), compression: 'gzip' },
    ])
    const bare = await loadImage(store, (await storeImage(store, { layers: [], config: {} })).digest)
    expect(bare.config).toMatchObject({ env: [], entrypoint: [], workdir: '', user: null })
  })

  it('chooses the platform, and names the others where it is missing', async () => {
    const index = await storeIndex([{ os: 'linux', architecture: 's390x' }, amd64])
    expect((await loadImage(store, index.digest, amd64)).digest).toBe(index.manifests[1]?.digest)
    const other = { os: 'linux', architecture: 'riscv64' }
    await expect(loadImage(store, index.digest, other)).rejects.toMatchObject({
      code: 'image.invalid',
      message: expect.stringContaining('not for linux/riscv64, only for linux/s390x, linux/amd64'),
    })
  })

  it('refuses what is not an image', async () => {
    const config = { mediaType: 'application/vnd.example+json', digest: digestOfBytes('x'), size: 1 }
    const foreign = { mediaType: 'application/vnd.example.layer', digest: digestOfBytes('x'), size: 1 }
    const cases = [
      await storeImage(store, { layers: [layer], diffIds: [] }),
      await storeImage(store, { layers: [layer], manifest: { config } }),
      await storeImage(store, { layers: [layer], manifest: { layers: [foreign] } }),
      await storeImage(store, { layers: [layer], manifest: { schemaVersion: 1 } }),
      await storeImage(store, { layers: [layer], manifest: { layers: [{ digest: '../x' }] } }),
      await storeJson(store, 'x', { some: 'thing' }),
      await storeJson(store, 'x', [1, 2]),
    ]
    for (const { digest } of cases)
      await expect(loadImage(store, digest)).rejects.toMatchObject({ code: 'image.invalid' })
    const { digest: text } = await store.put(Buffer.from('no JSON'))
    await expect(loadImage(store, text)).rejects.toMatchObject({ code: 'image.invalid' })
  })

  it('does not read documents of any size', async () => {
    const { digest } = await store.put(Buffer.alloc(5 * 2 ** 20, 32))
    await expect(loadImage(store, digest)).rejects.toMatchObject({
      code: 'image.invalid',
      message: expect.stringContaining('5242880 bytes'),
    })
  })

  it('names what is missing', async () => {
    await expect(loadImage(store, digestOfBytes('none'))).rejects.toMatchObject({ code: 'image.unknown' })
  })

  it('does not follow an index into itself for ever', async () => {
    const inner = await storeIndex([])
    const manifests = [{ ...inner, platform: amd64 }]
    const outer = await storeJson(store, mediaTypes.index, {
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests,
    })
    await expect(loadImage(store, outer.digest, amd64)).rejects.toMatchObject({ code: 'image.invalid' })
  })
})
