import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as z from 'zod'
import type { Digest, ImageDigest } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import type { ContentStore } from '../../../images/content-store.ts'
import { digestSchema } from '../../../images/descriptor.ts'
import { type Image, loadImage } from '../../../images/image.ts'
import { writeFileAtomic } from '../../../util/atomic-write.ts'
import { createMutex } from '../../../util/mutex.ts'
import { createSharedJobs } from '../../../util/shared-jobs.ts'
import { temporaryName } from '../../../util/temporary-name.ts'
import type { DockerEngine } from '../engine/docker-engine.ts'
import { withImageTar } from './image-tar.ts'

/** Images of the content store as the Engine has them: without a name, known by their config's digest. */
export interface EngineImages {
  /**
   * Brings an image into the Engine, unless it is there. What is there under the digest of its config is what was meant,
   * as both digests are of content; rejects with `docker.failed` where loading gives anything else.
   */
  ensure(image: ImageDigest, op: Pick<Op, 'signal'>): Promise<LoadedImage>
  /** Removes all that were loaded from this home, but for those that somebody still uses. */
  removeAll(): Promise<void>
}

export interface LoadedImage {
  /** By which containers are made from it. */
  readonly id: Digest
  readonly image: Image
}

/** @param recordFile where the ids of loaded images are kept, so that they can be removed */
export function createEngineImages(
  engine: DockerEngine,
  store: ContentStore,
  recordFile: string,
): EngineImages {
  const jobs = createSharedJobs<ImageDigest, LoadedImage>()
  const record = createLoadedRecord(recordFile)

  async function load(image: Image, signal: AbortSignal): Promise<void> {
    const { digest: id } = image.configDescriptor
    // Before, so that nothing is loaded that nobody removes.
    await record.add(id)
    const temporary = join(dirname(recordFile), `.layer.${temporaryName()}`)
    await withImageTar(store, image, temporary, { signal }, (tar) => engine.loadImage(tar, signal))
    if (await engine.hasImage(id)) return
    throw new BasaltError('docker.failed', {
      message: `the Docker Engine took the image ${image.digest} but does not know it as ${id}`,
      remedy:
        'Use an Engine with the classic image store: one that keeps images by the digest of their config.',
      details: { image: image.digest, id },
    })
  }

  return {
    ensure: (digest, op) =>
      jobs.run(digest, op.signal, async (signal) => {
        const image = await loadImage(store, digest)
        const { digest: id } = image.configDescriptor
        if (!(await engine.hasImage(id))) await load(image, signal)
        return { id, image }
      }),
    async removeAll() {
      for (const id of await record.read()) await engine.removeImage(id)
    },
  }
}

const recordSchema = z.array(digestSchema)

function createLoadedRecord(file: string) {
  const mutex = createMutex()
  const read = async (): Promise<readonly Digest[]> => {
    const text = await readFile(file, 'utf8').catch(() => '[]')
    return recordSchema.parse(JSON.parse(text))
  }
  return {
    read,
    add: (id: Digest) =>
      mutex.run(async () => {
        const before = await read()
        if (before.includes(id)) return
        await mkdir(dirname(file), { recursive: true, mode: 0o700 })
        await writeFileAtomic(file, JSON.stringify([...before, id]), { mode: 0o600 })
      }),
  }
}
