import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest } from '../../core/ids.ts'
import type { Op } from '../../core/op.ts'
import { BasaltError } from '../../errors.ts'
import type { ContentStore } from '../../images/content-store.ts'
import { loadImage, parse, readJson, type ImageLayer as StoredLayer } from '../../images/image.ts'
import { withLayerFile } from '../../images/layer-file.ts'
import { onDisk } from '../../util/disk-error.ts'
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

type Abort = Pick<Op, 'signal'>

/** Reads an image of the store to build on; of an index, the image for the architecture. */
export async function readBaseImage(
  digest: Digest,
  architecture: string,
  ports: Ports,
  op: Abort,
): Promise<BaseImage> {
  const image = await loadImage(ports.store, digest, { os: 'linux', architecture })
  const found = image.config.platform.architecture
  if (found !== architecture)
    throw new BasaltError('image.invalid', {
      message: `${digest} is for ${found}, not for ${architecture}`,
      details: { digest },
    })
  const place = image.configDescriptor.digest
  const config = parse(imageConfigSchema, await readJson(ports.store, place), place)
  const layers: ImageLayer[] = []
  for (const layer of image.layers)
    layers.push({
      descriptor: layer.descriptor,
      diffId: layer.diffId,
      paths: await pathsOf(layer, ports, op),
    })
  return { config, layers }
}

/** What a layer contains; found once for each layer, as that reads all of it. */
async function pathsOf(
  layer: StoredLayer,
  { store, cache, cacheFolder }: Ports,
  op: Abort,
): Promise<readonly LayerPath[]> {
  const { digest, size: sizeBytes } = layer.descriptor
  const place = `base-${digest.slice('sha256:'.length)}`
  const inputs = `${digest} ${layer.diffId}`
  const record = await cache.find(place, inputs)
  if (record?.paths !== undefined) return record.paths
  await onDisk(cacheFolder, mkdir(cacheFolder, { recursive: true }))
  const temporary = join(cacheFolder, temporaryName())
  const paths = await withLayerFile(store, layer, temporary, op, async ({ file }) => layerPaths(file))
  await cache.save(place, { inputs, digest, sizeBytes, paths })
  return paths
}
