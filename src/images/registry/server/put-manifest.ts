import { writeFile } from 'node:fs/promises'
import { digestOfBytes } from '../../../core/digest.ts'
import { type Digest, isDigest } from '../../../core/ids.ts'
import { onDisk } from '../../../util/disk-error.ts'
import type { ContentStore } from '../../content-store.ts'
import { ingestPath } from '../../oci-layout-store.ts'
import type { TagRecord } from './catalogue.ts'
import { findManifest, hasBlob, notReference } from './find-content.ts'
import { type ReadManifest, readManifest } from './read-manifest.ts'
import { refusal } from './refusal.ts'
import { keepRefused } from './refused-content.ts'
import type { RegistryParts } from './registry-parts.ts'
import { isReleaseTag, isTag } from './repository-name.ts'
import { otherDigest } from './uploads.ts'

export interface PushedManifest {
  readonly repository: string
  /** A tag, or its digest. */
  readonly reference: string
  readonly mediaType: string
  readonly bytes: Buffer
}

export interface StoredManifest {
  readonly digest: Digest
  readonly subject: Digest | null
}

/**
 * Takes a manifest, byte for byte (distribution-spec, "Pushing Manifests"). What it leads to must be in the repository; only
 * its subject may come later. A tag means one manifest for ever: pushing another to it is DENIED.
 */
export async function putManifest(parts: RegistryParts, pushed: PushedManifest): Promise<StoredManifest> {
  const { repository, bytes } = pushed
  const digest = digestOfBytes(bytes)
  const tag = await tagOf(parts, pushed, digest)
  const manifest = readManifest(bytes, digest, pushed.mediaType)
  return parts.changes(repository).run(() => addManifest(parts, pushed, manifest, tag))
}

async function addManifest(
  parts: RegistryParts,
  { repository, bytes }: PushedManifest,
  manifest: ReadManifest,
  tag: string | null,
): Promise<StoredManifest> {
  const { content, catalogue } = parts
  const { digest } = manifest.descriptor
  // Before anything is looked up, so that who pushes to a taken tag hears of that first.
  if (tag !== null) assertFree(repository, tag, digest, catalogue.tag(repository, tag))
  await assertComplete(parts, repository, manifest)
  await content.put(bytes)
  for (const { digest: blob } of manifest.blobs) catalogue.linkBlob(repository, blob)
  if (tag === null) catalogue.putManifest(repository, manifest, null)
  else assertFree(repository, tag, digest, catalogue.putManifest(repository, manifest, tag))
  return { digest, subject: manifest.subject }
}

/** Null where it was pushed by its digest, which must be right. */
async function tagOf(
  { content, releases, now }: RegistryParts,
  { repository, reference, bytes }: PushedManifest,
  digest: Digest,
): Promise<string | null> {
  if (isDigest(reference)) {
    if (reference === digest) return null
    await keepEvidence(content, bytes, { actual: digest, expected: reference }, now())
    throw otherDigest({ actual: digest, expected: reference }, bytes.byteLength)
  }
  if (!isTag(reference)) throw notTag(reference)
  if (!isReleaseTag(reference)) return reference
  // Saying again what a release says is success, as with other tags.
  if ((await releases.tags(repository)).get(reference) === digest) return null
  throw refusal('DENIED', `tags like ${reference} are those of releases; push the image under another one`)
}

async function keepEvidence(
  content: ContentStore,
  bytes: Buffer,
  digests: { readonly actual: Digest; readonly expected: Digest },
  now: number,
): Promise<void> {
  const file = ingestPath(content.folder)
  await onDisk(file, writeFile(file, bytes))
  await keepRefused(content.folder, file, digests, now)
}

function assertFree(repository: string, tag: string, digest: Digest, taken: TagRecord | null): void {
  if (taken === null || taken.digest === digest) return
  const was =
    taken.deletedAt === null
      ? `is ${taken.digest}`
      : `was ${taken.digest} until it was deleted at ${new Date(taken.deletedAt).toISOString()}`
  throw refusal(
    'DENIED',
    `${repository}:${tag} ${was}; a tag never changes its meaning, so ${digest} needs another tag`,
    { detail: { repository, tag, digest, taken: taken.digest } },
  )
}

async function assertComplete(
  parts: RegistryParts,
  repository: string,
  { blobs, manifests }: ReadManifest,
): Promise<void> {
  for (const { digest, size } of blobs) {
    if (!(await hasBlob(parts, repository, digest))) throw blobMissing(repository, digest)
    await assertSize(parts.content, digest, size)
  }
  for (const { digest, size, mediaType } of manifests) {
    const found = await findManifest(parts, repository, digest).catch(() => null)
    if (found === null) throw blobMissing(repository, digest)
    if (found.mediaType !== mediaType)
      throw refusal('MANIFEST_INVALID', `${digest} is ${found.mediaType}, and not ${mediaType}`)
    await assertSize(parts.content, digest, size)
  }
}

async function assertSize(content: ContentStore, digest: Digest, sizeBytes: number): Promise<void> {
  const found = await content.size(digest)
  if (found !== sizeBytes)
    throw refusal('MANIFEST_INVALID', `${digest} has ${found} bytes, and not ${sizeBytes}`)
}

const blobMissing = (repository: string, digest: Digest) =>
  refusal('MANIFEST_BLOB_UNKNOWN', `the manifest needs ${digest}, which is not in ${repository}`, {
    detail: { repository, digest },
  })

const notTag = (text: string) => {
  const error = notReference(text)
  return error.details['code'] === 'DIGEST_INVALID' ? error : refusal('TAG_INVALID', error.message)
}
