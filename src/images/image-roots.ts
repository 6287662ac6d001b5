import type { ImageDigest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import { createConcurrencyLimit } from '../util/concurrency-limit.ts'
import { readMounts } from '../util/mountinfo.ts'
import { createKeyedMutex } from '../util/mutex.ts'
import { createSharedJobs } from '../util/shared-jobs.ts'
import type { ContentStore } from './content-store.ts'
import { ensureRoot, isUnchanged, type RootsContext } from './ensure-root.ts'
import { type Image, type ImageConfig, loadImage } from './image.ts'
import { completeMountPoints, type MountPoints, missingMountPoints, noMountPoints } from './mount-points.ts'
import { removeRoot, unmountRoot } from './root-mount.ts'
import { type RootRecord, readRootRecord } from './root-record.ts'
import { type Exec, type Sealing, trySealing } from './root-sealing.ts'
import {
  listRootIds,
  prepareRootsFolder,
  type RootId,
  type RootPlace,
  rootId,
  rootPlace,
  temporaryRootPath,
} from './roots-folder.ts'

/**
 * Read-only roots, one for each image and set of mount points that it lacks, shared by all instances. A root is there
 * complete or not at all; calls for the same root share one job. One process at a time may use a folder.
 */
export interface ImageRoots {
  /**
   * The mounted root; made from the image's layers, or only mounted, when it has to be. It stays mounted until
   * `release`. Rejects with `image.unknown`, `image.invalid`, `content.corrupt`, `image.root-failed`, `host.disk-full`.
   */
  root(image: ImageDigest, mountPoints: MountPoints, op: Op): Promise<MountedRoot>
  list(): Promise<readonly StoredRoot[]>
  /** Whether the sealed bytes are still those that were made; always true of an unpacked folder. */
  isIntact(id: RootId): Promise<boolean>
  /** Unmounts. What is not there or not mounted is success. */
  release(id: RootId, op: Op): Promise<void>
  /** Unmounts and deletes. */
  remove(id: RootId, op: Op): Promise<void>
  /** What this machine can, found out by a trial once. */
  sealing(): Promise<Sealing>
}

export interface MountedRoot {
  readonly id: RootId
  readonly path: string
  readonly imageConfig: ImageConfig
}

export interface StoredRoot {
  readonly id: RootId
  readonly path: string
  readonly mounted: boolean
  /** What it is; null: that cannot be read, and it is made again when it is needed. */
  readonly record: RootRecord | null
}

export interface ImageRootsOptions {
  readonly store: ContentStore
  readonly folder: string
  readonly exec: Exec
  /** Roots made at the same time. Two keep a disk and two cores busy. */
  readonly concurrency?: number
  /** Absent: a trial decides. */
  readonly sealing?: Sealing
}

export function createImageRoots(options: ImageRootsOptions): ImageRoots {
  const { store, exec } = options
  const mutexOf = createKeyedMutex<RootId>()
  const jobs = createSharedJobs<RootId, RootPlace>()
  const limit = createConcurrencyLimit(options.concurrency ?? 2)
  const imageOf = rememberImages(store)
  const folder = onceUntilFailure(() => prepareRootsFolder(options.folder, exec))
  const sealing = onceUntilFailure(
    async () => options.sealing ?? trySealing(exec, temporaryRootPath(await folder())),
  )

  const ensure = async (image: Image, mountPoints: MountPoints, op: Op): Promise<MountedRoot> => {
    const context: RootsContext = { store, exec, folder: await folder(), sealing, limit }
    const id = rootId(image.digest, mountPoints)
    const { path } = await jobs.run(id, op.signal, (signal) =>
      mutexOf(id).run(() => ensureRoot(context, { id, image, mountPoints }, { signal })),
    )
    return { id, path, imageConfig: image.config }
  }

  return {
    sealing,
    async root(digest, given, op) {
      const wanted = completeMountPoints(given)
      const image = await imageOf(digest)
      const plain = await ensure(image, completeMountPoints(noMountPoints), op)
      // Most mount points are folders that the image has: then nothing more has to be made for them.
      const missing = missingMountPoints(plain.path, wanted)
      return missing === null ? plain : ensure(image, completeMountPoints(missing), op)
    },
    async list() {
      const mounted = new Set((await readMounts()).map((entry) => entry.path))
      const roots: StoredRoot[] = []
      for (const id of await listRootIds(await folder())) {
        const { record: file, path } = rootPlace(await folder(), id)
        roots.push({ id, path, mounted: mounted.has(path), record: await readRootRecord(file) })
      }
      return roots
    },
    async isIntact(id) {
      const { record, file } = rootPlace(await folder(), id)
      const found = await readRootRecord(record)
      return found !== null && isUnchanged(found, file)
    },
    async release(id, op) {
      const { path } = rootPlace(await folder(), id)
      await mutexOf(id).run(() => unmountRoot(exec, path, op))
    },
    async remove(id, op) {
      const place = rootPlace(await folder(), id)
      const roots = await folder()
      await mutexOf(id).run(() => removeRoot(exec, roots, place, op))
    },
  }
}

/** Images never change, so each is read and checked once. */
function rememberImages(store: ContentStore): (digest: ImageDigest) => Promise<Image> {
  const images = new Map<ImageDigest, Image>()
  return async (digest) => {
    const image = images.get(digest) ?? (await loadImage(store, digest))
    images.set(digest, image)
    return image
  }
}

/** Does the work at the first call and remembers its result; a failure is not remembered. */
function onceUntilFailure<Result>(work: () => Promise<Result>): () => Promise<Result> {
  let result: Promise<Result> | undefined
  return () => {
    result ??= work().catch((cause: unknown) => {
      result = undefined
      throw cause
    })
    return result
  }
}
