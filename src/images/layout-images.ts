import type { z } from 'zod'
import type { ContentStore, Descriptor, StoredBlob } from './content-store.ts'
import { isIndexType, isManifestType, mediaTypes } from './descriptor.ts'
import {
  indexSchema,
  isForMachine,
  loadImage,
  machinePlatform,
  manifestSchema,
  type Platform,
  parse,
  platformName,
  readJson,
} from './image.ts'
import { archiveInvalid } from './image-archive.ts'

/** An image of an archive; its manifest is in the staging store. */
export interface ArchivedImage {
  readonly manifest: Descriptor
  /** What the archive calls it; null: nothing. */
  readonly name: string | null
}

/** Of containerd (Docker too), which has the whole name, and of image-spec, annotations.md. */
const nameAnnotations = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'] as const

/**
 * The images for this machine that an OCI image layout lists; of an index of several platforms the one that fits.
 * What is attached to images (SBOM, provenance) is passed over. Rejects with `image.invalid` where there is no image
 * for this machine, saying for which there are some.
 */
export async function layoutImages(
  staging: ContentStore,
  indexJson: StoredBlob,
): Promise<readonly ArchivedImage[]> {
  const { manifests } = parse(indexSchema, await readJson(staging, indexJson.digest), indexJson.digest)
  const found: ArchivedImage[] = []
  const others = new Set<string>()
  for (const entry of manifests) {
    const name = nameAnnotations.map((key) => entry.annotations?.[key]).find((text) => text !== undefined)
    for (const candidate of await candidatesOf(staging, entry)) {
      const platform = await platformOf(staging, candidate)
      if (platform === null) continue
      if (!isForMachine(platform)) others.add(platformName(platform))
      else {
        found.push({ manifest: candidate, name: name ?? null })
        break
      }
    }
  }
  if (found.length > 0) return found
  throw archiveInvalid(
    others.size === 0
      ? 'its index.json lists no image'
      : `it has no image for ${platformName(machinePlatform)}, only for ${[...others].sort().join(', ')}`,
  )
}

type Entry = z.infer<typeof indexSchema>['manifests'][number]

async function candidatesOf(staging: ContentStore, entry: Entry): Promise<readonly Entry[]> {
  if (entry.artifactType !== undefined) return []
  if (!isIndexType(entry.mediaType)) return isManifestType(entry.mediaType) ? [entry] : []
  const { manifests } = parse(indexSchema, await readJson(staging, entry.digest), entry.digest)
  return manifests.filter(({ mediaType }) => isManifestType(mediaType))
}

/** Null: it is no image. BuildKit lists what it attaches as an image for `unknown/unknown`. */
async function platformOf(staging: ContentStore, { digest, platform }: Entry): Promise<Platform | null> {
  if (platform !== undefined) return platform.os === 'unknown' ? null : platform
  const { config } = parse(manifestSchema, await readJson(staging, digest), digest)
  const isImage = config.mediaType === mediaTypes.config || config.mediaType === mediaTypes.dockerConfig
  return isImage ? (await loadImage(staging, digest)).config.platform : null
}
