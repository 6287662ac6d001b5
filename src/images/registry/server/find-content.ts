import { type Digest, isDigest } from '../../../core/ids.ts'
import type { Descriptor } from '../../content-store.ts'
import { isIndexType, isManifestType } from '../../descriptor.ts'
import { refusal } from './refusal.ts'
import type { RegistryParts } from './registry-parts.ts'
import { isTag } from './repository-name.ts'

type Sources = Pick<RegistryParts, 'content' | 'catalogue' | 'releases'>

/** What is pushed and what a release brings are one repository to its readers. */
export async function findManifest(
  { content, catalogue, releases }: Sources,
  repository: string,
  reference: string,
): Promise<Descriptor> {
  const digest = isDigest(reference)
    ? reference
    : await digestOfTag({ catalogue, releases }, repository, reference)
  const pushed = catalogue.manifest(repository, digest)
  const found = pushed ?? (await releases.find(repository, digest))
  if (found === null || !(pushed !== null || isDocument(found)) || !(await content.has(digest)))
    throw manifestUnknown(repository, reference)
  return found
}

async function digestOfTag(
  { catalogue, releases }: Pick<Sources, 'catalogue' | 'releases'>,
  repository: string,
  tag: string,
): Promise<Digest> {
  if (!isTag(tag)) throw notReference(tag)
  const pushed = catalogue.tag(repository, tag)
  if (pushed?.deletedAt === null) return pushed.digest
  const released = (await releases.tags(repository)).get(tag)
  if (released === undefined) throw manifestUnknown(repository, tag)
  return released
}

/** Whether a repository has a blob: its row alone says nothing, the content store may have lost it. */
export async function hasBlob(
  { content, catalogue, releases }: Sources,
  repository: string,
  digest: Digest,
): Promise<boolean> {
  const isVisible =
    catalogue.hasBlob(repository, digest) || (await releases.find(repository, digest)) !== null
  return isVisible && content.has(digest)
}

/** Throws DIGEST_INVALID: only SHA-256 is served. */
export function digestOfText(text: string): Digest {
  if (isDigest(text)) return text
  throw refusal('DIGEST_INVALID', `"${text}" is no digest: it must be sha256: and 64 lower-case hex digits`)
}

export const notReference = (text: string) =>
  /^[a-z0-9+._-]+:/.test(text)
    ? refusal('DIGEST_INVALID', `"${text}" is no digest: it must be sha256: and 64 lower-case hex digits`)
    : refusal('MANIFEST_UNKNOWN', `"${text}" is no tag: it may have 128 letters, digits, "_", "." and "-"`)

const manifestUnknown = (repository: string, reference: string) =>
  refusal('MANIFEST_UNKNOWN', `${repository} has no manifest ${reference}`, {
    detail: { repository, reference },
  })

export const blobUnknown = (repository: string, digest: Digest) =>
  refusal('BLOB_UNKNOWN', `${repository} has no blob ${digest}`, { detail: { repository, digest } })

/** What is read by `manifests/`, not by `blobs/` only. */
const isDocument = ({ mediaType }: Descriptor): boolean => isManifestType(mediaType) || isIndexType(mediaType)
