import { rm, statfs } from 'node:fs/promises'
import type { Digest } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { diskFull, onDisk } from '../../../util/disk-error.ts'
import { checkLayer } from '../../check-layer.ts'
import type { ContentStore, Descriptor } from '../../content-store.ts'
import type { ImageLayer } from '../../image.ts'
import { withLayerFile } from '../../layer-file.ts'
import { ingestPath, openContentStore } from '../../oci-layout-store.ts'
import { createEvidenceFolder } from './evidence.ts'
import { fetchBlob } from './fetch-blob.ts'
import type { RegistrySession } from './registry-session.ts'
import { trackTransfer } from './transfer-progress.ts'

/** Brings blobs of one repository into the store. */
export interface BlobPuller {
  /** By size: one that is there with another length would be believed to be there. */
  missing(blobs: readonly Descriptor[]): Promise<readonly Descriptor[]>
  /** Rejects with `host.disk-full` where they are larger than what is free. */
  assertRoom(blobs: readonly Descriptor[]): Promise<void>
  /** Once for each digest. */
  fetch(descriptor: Descriptor, op: Op): Promise<void>
  /** Whether a layer's content is what its image says, and what a root may have. */
  check(layer: ImageLayer, op: Op): Promise<void>
  close(): Promise<void>
}

export async function openBlobPuller(
  store: ContentStore,
  session: RegistrySession,
  repository: string,
): Promise<BlobPuller> {
  const staging = await openContentStore(ingestPath(store.folder))
  const target = { staging, keepEvidence: createEvidenceFolder(store.folder).keepFile }
  const fetched = new Map<Digest, Promise<void>>()

  const fetch = async (descriptor: Descriptor, op: Op): Promise<void> => {
    const transfer = trackTransfer('fetch', descriptor, op)
    await fetchBlob(session, repository, descriptor, target, transfer, op)
    await store.adopt(staging, [descriptor.digest])
    transfer.done()
  }

  return {
    async missing(blobs) {
      const unique = new Map(blobs.map((descriptor) => [descriptor.digest, descriptor]))
      const absent = await Promise.all(
        [...unique.values()].map(async (descriptor) => {
          const { digest, size } = descriptor
          return (await store.has(digest)) && (await store.size(digest)) === size ? [] : [descriptor]
        }),
      )
      return absent.flat()
    },
    async assertRoom(blobs) {
      const { folder } = store
      const { bavail, bsize } = await onDisk(folder, statfs(folder))
      const neededBytes = totalBytes(blobs)
      if (neededBytes > bavail * bsize)
        throw diskFull(`${folder}: the image needs ${neededBytes} bytes, and ${bavail * bsize} are free`)
    },
    fetch(descriptor, op) {
      const running = fetched.get(descriptor.digest) ?? fetch(descriptor, op)
      fetched.set(descriptor.digest, running)
      return running
    },
    async check(layer, op) {
      const { digest } = layer.descriptor
      // Its bytes have just been hashed, and are the content itself.
      if (layer.compression === 'none' && layer.diffId === digest && fetched.has(digest))
        return checkLayer({ file: store.path(digest), name: digest }, op)
      await withLayerFile(store, layer, ingestPath(store.folder), op, (file) => checkLayer(file, op))
    },
    close: () => rm(staging.folder, { recursive: true, force: true }),
  }
}

export const totalBytes = (descriptors: readonly Descriptor[]): number =>
  descriptors.reduce((total, { size }) => total + size, 0)
