import { rename, rm } from 'node:fs/promises'
import type { Op } from '../core/op.ts'
import { syncFolder } from '../util/atomic-write.ts'
import { onDisk } from '../util/disk-error.ts'
import { digestOfFile } from '../util/file-digest.ts'
import type { ContentStore } from './content-store.ts'
import type { Image } from './image.ts'
import { makeRoot } from './make-root.ts'
import type { MountPoints } from './mount-points.ts'
import { isRootMounted, mountRoot, removeRoot } from './root-mount.ts'
import { type RootRecord, readRootRecord } from './root-record.ts'
import type { Exec, Sealing } from './root-sealing.ts'
import { type RootId, type RootPlace, rootPlace, temporaryRootPath } from './roots-folder.ts'

export interface RootsContext {
  readonly store: ContentStore
  readonly exec: Exec
  /** Real path of the folder of all roots. */
  readonly folder: string
  readonly sealing: () => Promise<Sealing>
  /** Bounds how many are made at a time. */
  readonly limit: <Result>(task: () => Promise<Result>) => Promise<Result>
}

export interface WantedRoot {
  readonly id: RootId
  readonly image: Image
  readonly mountPoints: MountPoints
}

/** Leaves the root mounted, whatever was there before. One call at a time for each id. */
export async function ensureRoot(
  context: RootsContext,
  wanted: WantedRoot,
  op: Pick<Op, 'signal'>,
): Promise<RootPlace> {
  const { exec, folder } = context
  const place = rootPlace(folder, wanted.id)
  const record = await readRootRecord(place.record)
  if (record !== null && (await isRootMounted(exec, place.path, op))) return place

  const sealing = await context.sealing()
  // Sealed in a way that this kernel cannot mount, or damaged: it is made again from the verified layers.
  const usable = record?.sealing === sealing && (await isUnchanged(record, place.file))
  if (!usable) {
    await removeRoot(exec, folder, place, op)
    await context.limit(() => makeInPlace(context, wanted, sealing, place, op))
  }
  await mountRoot(exec, sealing, place, op)
  return place
}

/** Whether the sealed bytes are still those that were made; nothing is known of an unpacked folder. */
export const isUnchanged = async (record: RootRecord, file: string): Promise<boolean> =>
  record.erofsDigest === null || (await digestOfFile(file).catch(() => null)) === record.erofsDigest

async function makeInPlace(
  { store, exec, folder }: RootsContext,
  wanted: WantedRoot,
  sealing: Sealing,
  place: RootPlace,
  op: Pick<Op, 'signal'>,
): Promise<void> {
  const making = temporaryRootPath(folder)
  try {
    await makeRoot({ store, exec, ...wanted, sealing, folder: making }, op)
    await onDisk(place.folder, rename(making, place.folder))
    await syncFolder(folder)
  } finally {
    await rm(making, { recursive: true, force: true })
  }
}
