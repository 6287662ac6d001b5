import { rename, rm, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { Digest } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import type { ContentStore } from '../../../images/content-store.ts'
import type { Image, ImageLayer } from '../../../images/image.ts'
import { withLayerFile } from '../../../images/layer-file.ts'
import type { TarContent, TarEntry } from '../../../util/tar-entry.ts'
import { writeTar } from '../../../util/tar-writer.ts'

interface LayerContent {
  readonly digest: Digest
  readonly file: string
  readonly sizeBytes: number
}

/**
 * Calls `use` with an image in the form of `docker save` (moby, image/spec/v1.2.md), without a name: the Engine knows it
 * by its config's digest alone. The Engine checks every layer against the config.
 *
 * @param temporary a path beside which layers are decompressed that the Engine cannot read
 */
export async function withImageTar<Result>(
  store: ContentStore,
  image: Image,
  temporary: string,
  op: Pick<Op, 'signal'>,
  use: (tar: Readable) => Promise<Result>,
): Promise<Result> {
  const config = await store.read(image.configDescriptor.digest)
  const layers: LayerContent[] = []
  const files: string[] = []
  try {
    for (const [index, layer] of image.layers.entries()) {
      const file = `${temporary}.${index}`
      files.push(file)
      layers.push(await layerContent(store, layer, file, op))
    }
    return await use(Readable.from(writeTar(entriesOf(image.configDescriptor.digest, config, layers))))
  } finally {
    await Promise.all(files.map((file) => rm(file, { force: true })))
  }
}

/** Every Engine reads tar and gzip; zstd only newer ones. */
async function layerContent(
  store: ContentStore,
  layer: ImageLayer,
  temporary: string,
  op: Pick<Op, 'signal'>,
): Promise<LayerContent> {
  const { digest, size } = layer.descriptor
  if (layer.compression !== 'zstd') return { digest, file: store.path(digest), sizeBytes: size }
  return withLayerFile(store, layer, `${temporary}.part`, op, async ({ file }) => {
    await rename(file, temporary)
    return { digest: layer.diffId, file: temporary, sizeBytes: (await stat(temporary)).size }
  })
}

function* entriesOf(
  configDigest: Digest,
  config: Uint8Array,
  layers: readonly LayerContent[],
): Generator<TarEntry> {
  const paths = layers.map(({ digest }) => `${hexOf(digest)}.tar`)
  const manifest = [{ Config: `${hexOf(configDigest)}.json`, RepoTags: null, Layers: paths }]
  yield fileEntry('manifest.json', Buffer.from(JSON.stringify(manifest)))
  yield fileEntry(`${hexOf(configDigest)}.json`, config)
  const seen = new Set<string>()
  for (const [index, { file, sizeBytes }] of layers.entries()) {
    const path = paths[index] ?? ''
    if (seen.has(path)) continue
    seen.add(path)
    yield fileEntry(path, { file, offset: 0, sizeBytes })
  }
}

const fileEntry = (path: string, content: TarContent): TarEntry => ({
  kind: 'file',
  path,
  content,
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 0,
})

const hexOf = (digest: Digest): string => digest.slice('sha256:'.length)
