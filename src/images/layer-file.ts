import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import type { Digest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'
import { diskError } from '../util/disk-error.ts'
import type { ContentStore } from './content-store.ts'
import type { ImageLayer } from './image.ts'
import { defaultLayerLimits } from './layer-reader.ts'
import type { LayerFile } from './unpack-layer.ts'

/**
 * Calls `use` with a layer as an uncompressed tar, every byte of it verified against the config's diff_id before: an
 * uncompressed blob as it lies in the store, others decompressed to `temporary`, which is removed afterwards.
 * Rejects with `content.corrupt` where the blob went bad, `image.invalid` where the image never was good.
 */
export async function withLayerFile<Result>(
  store: ContentStore,
  layer: ImageLayer,
  temporary: string,
  op: Abort,
  use: (file: LayerFile) => Promise<Result>,
): Promise<Result> {
  const { digest, size } = layer.descriptor
  const blob = store.path(digest)
  const isPlain = layer.compression === 'none'
  const prepare = async (): Promise<void> => {
    const stored = await store.size(digest)
    if (stored !== size) throw unusable(layer, `it has ${stored} bytes instead of ${size}`)
    await (isPlain ? verify(blob, layer, op) : decompress(blob, layer, temporary, op))
  }
  try {
    await prepare().catch((cause: unknown) => blame(store, digest, cause))
    return await use({ file: isPlain ? blob : temporary, name: digest })
  } finally {
    await rm(temporary, { force: true })
  }
}

type Abort = Pick<Op, 'signal'>

/** A layer that cannot be used is the image's fault only when its blob is still what it was. */
async function blame(store: ContentStore, blob: Digest, cause: unknown): Promise<never> {
  if (cause instanceof BasaltError && cause.code === 'image.invalid') await store.verify(blob)
  throw cause
}

async function verify(blob: string, layer: ImageLayer, op: Abort): Promise<void> {
  const drain = async (chunks: AsyncIterable<Buffer>) => {
    for await (const _ of checked(chunks, layer));
  }
  await pipeline(createReadStream(blob, readOptions), drain, { signal: op.signal }).catch(
    translated(layer, op),
  )
}

async function decompress(blob: string, layer: ImageLayer, temporary: string, op: Abort): Promise<void> {
  const decompressor =
    layer.compression === 'gzip' ? createGunzip(readOptions) : createZstdDecompress(readOptions)
  await pipeline(
    createReadStream(blob, readOptions),
    decompressor,
    (chunks: AsyncIterable<Buffer>) => checked(chunks, layer),
    createWriteStream(temporary, { flags: 'wx', mode: 0o600 }),
    { signal: op.signal },
  ).catch(translated(layer, op))
}

const readOptions = { highWaterMark: 1 << 18, chunkSize: 1 << 18 }

/** Passes bytes on, and fails at their end unless they were the layer's. */
async function* checked(chunks: AsyncIterable<Buffer>, layer: ImageLayer): AsyncGenerator<Buffer> {
  const limit = defaultLayerLimits.sizeBytes
  const hash = createHash('sha256')
  let sizeBytes = 0
  for await (const chunk of chunks) {
    sizeBytes += chunk.byteLength
    if (sizeBytes > limit) throw unusable(layer, `it is larger than ${limit} bytes when decompressed`)
    hash.update(chunk)
    yield chunk
  }
  const actual = `sha256:${hash.digest('hex')}`
  if (actual !== layer.diffId) throw unusable(layer, `its content is ${actual} instead of ${layer.diffId}`)
}

const translated = (layer: ImageLayer, op: Abort) => (cause: unknown) => {
  if (op.signal.aborted)
    throw new BasaltError('request.interrupted', { message: 'reading a layer was interrupted', cause })
  const { code = '', message } = cause as NodeJS.ErrnoException
  if (code.startsWith('Z_') || code.startsWith('ZSTD_')) throw unusable(layer, message, cause)
  throw diskError(layer.descriptor.digest, cause)
}

const unusable = (layer: ImageLayer, reason: string, cause?: unknown): BasaltError =>
  new BasaltError('image.invalid', {
    message: `layer ${layer.descriptor.digest} cannot be used: ${reason}`,
    details: { layer: layer.descriptor.digest },
    ...(cause === undefined ? {} : { cause }),
  })
