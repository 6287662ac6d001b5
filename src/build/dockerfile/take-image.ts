import type { Digest } from '../../core/ids.ts'
import type { Op } from '../../core/op.ts'
import { BasaltError } from '../../errors.ts'
import type { ContentStore } from '../../images/content-store.ts'
import { type Image, loadImage } from '../../images/image.ts'
import { importImages } from '../../images/import-images.ts'
import type { MadeImage } from './backend.ts'

/**
 * Brings what was built into a store, every byte verified: the configuration, or the manifest, must have the digest that
 * the program gave for its id, and every layer the one that the configuration names. Rejects with `image.invalid`.
 */
export async function takeImage(
  file: string,
  made: MadeImage,
  store: ContentStore,
  op: Op,
): Promise<{ readonly image: Image; readonly sizeBytes: number }> {
  const archive = await made.archive(op)
  const [imported, ...others] = await importImages(store, inBlocks(archive), op).catch((cause: unknown) => {
    throw explained(file, cause)
  })
  if (imported === undefined || others.length > 0)
    throw wrongImage(file, made.id, `${others.length + 1} images`)
  const image = await loadImage(store, imported.image)
  if (image.configDescriptor.digest !== made.id && image.digest !== made.id)
    throw wrongImage(file, made.id, `the image ${image.configDescriptor.digest}`)
  return { image, sizeBytes: imported.sizeBytes }
}

const blockBytes = 1 << 20

/** An Engine sends in small pieces, and each costs the same. */
async function* inBlocks(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = []
  let size = 0
  for await (const chunk of bytes) {
    waiting.push(chunk)
    size += chunk.byteLength
    if (size < blockBytes) continue
    yield Buffer.concat(waiting)
    waiting = []
    size = 0
  }
  if (size > 0) yield Buffer.concat(waiting)
}

function explained(file: string, cause: unknown): unknown {
  if (!(cause instanceof BasaltError) || cause.code !== 'image.invalid') return cause
  const [, others] = /no image for \S+, only for (.*)$/.exec(cause.message) ?? []
  return new BasaltError('image.invalid', {
    message:
      others === undefined
        ? `${file}: what was built cannot be taken in: ${cause.message}`
        : `${file}: what was built is for ${others}, which this machine cannot run`,
    remedy:
      others === undefined
        ? 'Build again: basalt build'
        : 'Remove `--platform` from FROM, or base it on an image for this machine.',
    details: { dockerfile: file },
    cause,
  })
}

const wrongImage = (file: string, id: Digest, got: string): BasaltError =>
  new BasaltError('image.invalid', {
    message: `${file}: ${id} was built, but ${got} came out of the builder`,
    remedy: 'Build again: basalt build',
    details: { dockerfile: file, id },
  })
