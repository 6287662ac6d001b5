import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalJson } from '../core/digest.ts'
import type { Op } from '../core/op.ts'
import { writeFileAtomic } from '../util/atomic-write.ts'
import { onDisk } from '../util/disk-error.ts'
import { digestOfFile } from '../util/file-digest.ts'
import type { ContentStore } from './content-store.ts'
import type { Image } from './image.ts'
import { withLayerFile } from './layer-file.ts'
import { addMountPoints, type MountPoints } from './mount-points.ts'
import { type RootRecord, rootFormat } from './root-record.ts'
import { type Exec, type Sealing, sealErofs, syncTree } from './root-sealing.ts'
import { createRootWriter } from './root-writer.ts'
import { unpackLayer } from './unpack-layer.ts'

export interface RootRequest {
  readonly store: ContentStore
  readonly exec: Exec
  readonly image: Image
  readonly mountPoints: MountPoints
  readonly id: string
  readonly sealing: Sealing
  /** Made here, and complete and durable when this resolves; what a failure leaves is the caller's to remove. */
  readonly folder: string
}

/** Unpacks an image's layers, adds the mount points, seals the result and writes its record. */
export async function makeRoot(request: RootRequest, op: Pick<Op, 'signal'>): Promise<void> {
  const { folder, sealing, exec, id } = request
  const root = join(folder, 'root')
  // Never what is there already: a root holds files of its own image only.
  await onDisk(folder, mkdir(folder))
  await onDisk(root, mkdir(root, { mode: 0o755 }))
  const { newestMtime } = await unpack(request, root, op)
  let erofsDigest: RootRecord['erofsDigest'] = null
  if (sealing === 'erofs') {
    const file = join(folder, 'root.erofs')
    await sealErofs(exec, { root, file, id, newestMtime }, op)
    erofsDigest = await digestOfFile(file)
    // What was unpacked has done its work; the empty folder becomes the mount point.
    await rm(root, { recursive: true })
    await mkdir(root)
  } else await syncTree(exec, root, op)
  const record: RootRecord = {
    format: rootFormat,
    image: request.image.digest,
    mountPoints: request.mountPoints,
    sealing,
    erofsDigest,
  }
  await writeFileAtomic(join(folder, 'root.json'), canonicalJson(record))
}

async function unpack(
  { store, image, mountPoints, folder }: RootRequest,
  root: string,
  op: Pick<Op, 'signal'>,
) {
  const writer = createRootWriter(root)
  for (const layer of image.layers)
    await withLayerFile(store, layer, join(folder, 'layer.tar'), op, (file) => unpackLayer(writer, file, op))
  addMountPoints(writer, mountPoints)
  return writer.finish()
}
