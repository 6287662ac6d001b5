import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { z } from 'zod'
import type { Digest } from '../../core/ids.ts'
import { BasaltError } from '../../errors.ts'
import type { ContentStore } from '../../images/content-store.ts'
import { descriptorSchema } from '../../images/descriptor.ts'
import { temporaryName } from '../../util/temporary-name.ts'
import { type ImageConfig, type ImageLayer, imageConfigSchema } from './image-config.ts'
import type { LayerPath } from './image-paths.ts'
import type { LayerCache } from './layer-cache.ts'
import { layerPaths } from './layer-paths.ts'

export interface BaseImage {
  readonly config: ImageConfig
  readonly layers: readonly ImageLayer[]
}

interface Ports {
  readonly store: ContentStore
  readonly cache: LayerCache
  readonly cacheFolder: string
}

const manifestSchema = z.object({ config: descriptorSchema, layers: z.array(descriptorSchema) })
const indexSchema = z.object({
  manifests: z.array(
    z.intersection(
      descriptorSchema,
      z.looseObject({ platform: z.looseObject({ os: z.string(), architecture: z.string() }).optional() }),
    ),
  ),
})

/** Reads an image of the store to build on; of an index, the image for the architecture. */
export async function readBaseImage(digest: Digest, architecture: string, ports: Ports): Promise<BaseImage> {
  const document = await readJson(digest, z.unknown(), ports.store)
  const index = indexSchema.safeParse(document)
  if (index.success) {
    const fits = index.data.manifests.find(
      ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
    )
    if (fits === undefined) throw invalid(digest, `has no image for linux/${architecture}`)
    return readBaseImage(fits.digest, architecture, ports)
  }
  const manifest = await readJson(digest, manifestSchema, ports.store)
  const config = await readJson(manifest.config.digest, imageConfigSchema, ports.store)
  if (config.architecture !== architecture) {
    throw invalid(digest, `is for ${config.architecture}, not for ${architecture}`)
  }
  const layers: ImageLayer[] = []
  for (const [position, descriptor] of manifest.layers.entries()) {
    const diffId = config.rootfs.diff_ids[position]
    if (diffId === undefined) throw invalid(digest, 'has more layers than diff_ids')
    layers.push({ descriptor, diffId, paths: await pathsOf(descriptor.digest, descriptor.mediaType, ports) })
  }
  return { config, layers }
}

/** What a layer contains; found once for each layer, as that reads all of it. */
async function pathsOf(digest: Digest, mediaType: string, ports: Ports): Promise<readonly LayerPath[]> {
  const place = `base-${digest.slice('sha256:'.length)}`
  const record = await ports.cache.find(place, digest)
  if (record?.paths !== undefined) return record.paths
  const sizeBytes = await ports.store.size(digest)
  const paths = await withUncompressed(digest, mediaType, ports, layerPaths)
  await ports.cache.save(place, { inputs: digest, digest, sizeBytes, paths })
  return paths
}

async function withUncompressed<Result>(
  digest: Digest,
  mediaType: string,
  { store, cacheFolder }: Ports,
  use: (file: string) => Result,
): Promise<Result> {
  const decompress = decompressorOf(mediaType)
  if (decompress === null) return use(store.path(digest))
  await mkdir(cacheFolder, { recursive: true })
  const folder = join(cacheFolder, temporaryName())
  await mkdir(folder)
  try {
    const file = join(folder, 'layer.tar')
    await pipeline(await store.open(digest), decompress, createWriteStream(file))
    return use(file)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function decompressorOf(mediaType: string) {
  if (mediaType.endsWith('gzip')) return createGunzip()
  if (mediaType.endsWith('zstd')) return createZstdDecompress()
  return null
}

async function readJson<Schema extends z.ZodType>(
  digest: Digest,
  schema: Schema,
  store: ContentStore,
): Promise<z.infer<Schema>> {
  const bytes = await store.read(digest)
  try {
    return schema.parse(JSON.parse(bytes.toString('utf8')))
  } catch (cause) {
    throw invalid(digest, 'is not a document of an OCI image', cause)
  }
}

const invalid = (digest: Digest, fact: string, cause?: unknown): BasaltError =>
  new BasaltError('image.invalid', { message: `${digest} ${fact}`, details: { digest }, cause })
