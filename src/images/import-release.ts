import { rm } from 'node:fs/promises'
import type { Op } from '../core/op.ts'
import { checkRelease, type ImportedRelease, listRelease } from './check-release.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import { isIndexType } from './descriptor.ts'
import { ingestPath, openContentStore } from './oci-layout-store.ts'
import { archiveInvalid, readArchive } from './release-archive-reader.ts'
import { releaseType } from './release-artifact.ts'

/**
 * Takes a file of `exportRelease` in. It is read into a layout of its own first; only when every blob has its digest,
 * nothing is missing and nothing is there that the release does not need, the blobs are moved into the store and
 * referred to. Until then nothing of the archive can be seen, and after a failure nothing is left.
 *
 * Rejects with `release.archive-invalid`, `host.disk-full`, or `request.interrupted` on abort.
 */
export async function importRelease(
  store: ContentStore,
  bytes: AsyncIterable<Uint8Array>,
  op: Pick<Op, 'signal'>,
): Promise<ImportedRelease> {
  const folder = ingestPath(store.folder)
  try {
    const staging = await openContentStore(folder)
    const { descriptors, blobs } = await readArchive(staging, bytes, op)
    const root = soleRelease(descriptors)
    const checked = await checkRelease(staging, root, archiveInvalid)
    const found = [...blobs, ...descriptors.map(({ digest }) => digest)]
    const stranger = found.find((digest) => !checked.reachable.has(digest))
    if (stranger !== undefined) throw archiveInvalid(`nothing in the release refers to ${stranger}`)
    await store.adopt(staging, [...blobs])
    await listRelease(store, checked)
    return checked.imported
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function soleRelease(descriptors: readonly Descriptor[]): Descriptor {
  const [root, ...others] = descriptors.filter(
    ({ mediaType, artifactType }) => isIndexType(mediaType) && artifactType === releaseType,
  )
  if (root === undefined) throw archiveInvalid('its index.json lists no release')
  if (others.length > 0)
    throw archiveInvalid(`its index.json lists ${others.length + 1} releases instead of one`)
  return root
}
