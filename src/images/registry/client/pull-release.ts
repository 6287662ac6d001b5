import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { checkRelease, type ImportedRelease, listRelease } from '../../check-release.ts'
import type { ContentStore, Descriptor } from '../../content-store.ts'
import { isIndexType, isManifestType } from '../../descriptor.ts'
import { indexSchema, loadImage, manifestSchema, parse } from '../../image.ts'
import { formatReference, type ImageReference } from '../../reference.ts'
import { releaseType, servicesByImage } from '../../release-artifact.ts'
import { openBlobPuller } from './blob-puller.ts'
import { createEvidenceFolder } from './evidence.ts'
import { type FetchedManifest, fetchManifest } from './fetch-manifest.ts'
import { inParallel } from './in-parallel.ts'
import { interrupted, refuseForeignLayers } from './pull-image.ts'
import type { RegistrySession } from './registry-session.ts'

export interface PulledRelease extends ImportedRelease {
  /** Of its documents and images, what is no manifest; now in the store, and known to be in that repository. */
  readonly blobs: readonly Descriptor[]
}

/** A release has few services; each image is an index at most. */
const maxManifests = 10_000

/**
 * Brings a release that was pushed into the store, with all that it needs. It is listed, and so can be deployed, when all
 * of it was checked. Rejects with `release.archive-invalid` for what is no release.
 */
export async function pullRelease(
  store: ContentStore,
  session: RegistrySession,
  reference: ImageReference,
  op: Op,
): Promise<PulledRelease> {
  const name = formatReference(reference)
  const { keepBytes } = createEvidenceFolder(store.folder)
  const root = await fetchManifest(session, reference, keepBytes)
  if (!isRelease(root.document)) throw notRelease(name, 'it is no release, but something else')
  const puller = await openBlobPuller(store, session, reference.repository)
  try {
    const { manifests, blobs } = await fetchManifests(root, name, (digest) =>
      fetchManifest(session, { ...reference, tag: null, digest }, keepBytes),
    )
    const missing = await puller.missing(blobs)
    await puller.assertRoom(missing)
    await inParallel(missing, op, (descriptor, shared) => puller.fetch(descriptor, shared))
    for (const { bytes } of manifests) await store.put(bytes)
    const checked = await checkRelease(store, root.descriptor, (reason, cause) =>
      notRelease(name, reason, cause),
    )
    for (const digest of servicesByImage(checked.imported.release).keys()) {
      const { layers } = await loadImage(store, digest)
      await inParallel(layers, op, (layer, shared) => puller.check(layer, shared))
    }
    await listRelease(store, checked)
    return { ...checked.imported, blobs }
  } catch (error) {
    throw op.signal.aborted ? interrupted(reference, op) : error
  } finally {
    await puller.close()
  }
}

/** The whole graph: manifests as they are, and all else that they name. */
async function fetchManifests(
  root: FetchedManifest,
  name: string,
  fetch: (digest: Descriptor['digest']) => Promise<FetchedManifest>,
) {
  const manifests = new Map([[root.descriptor.digest, root]])
  const blobs = new Map<string, Descriptor>()
  const visit = async ({ descriptor, document }: FetchedManifest): Promise<void> => {
    for (const child of childrenIn(descriptor, document, name)) {
      if (!isManifestType(child.mediaType) && !isIndexType(child.mediaType)) blobs.set(child.digest, child)
      else if (!manifests.has(child.digest)) {
        if (manifests.size === maxManifests)
          throw notRelease(name, `it leads to more than ${maxManifests} images`)
        const fetched = await fetch(child.digest)
        manifests.set(child.digest, fetched)
        await visit(fetched)
      }
    }
  }
  await visit(root)
  return { manifests: [...manifests.values()], blobs: [...blobs.values()] }
}

function childrenIn(
  { digest, mediaType }: Descriptor,
  document: unknown,
  name: string,
): readonly Descriptor[] {
  if (isIndexType(mediaType)) return parse(indexSchema, document, digest).manifests
  const manifest = parse(manifestSchema, document, digest)
  refuseForeignLayers(manifest, name)
  return [manifest.config, ...manifest.layers]
}

const isRelease = (document: unknown): boolean =>
  typeof document === 'object' &&
  document !== null &&
  'artifactType' in document &&
  document.artifactType === releaseType

const notRelease = (name: string, reason: string, cause?: unknown): BasaltError =>
  new BasaltError('release.archive-invalid', {
    message: `${name} cannot be taken in as a release: ${reason}`,
    remedy: 'Name what `basalt release push` wrote; an image comes with `basalt image pull`.',
    ...(cause === undefined ? {} : { cause }),
  })
