import { canonicalJson, digestOfBytes } from '../core/digest.ts'
import type { ContentStore, Descriptor } from '../images/content-store.ts'
import { mediaTypes } from '../images/descriptor.ts'

/** A document about an image: JSON, written canonically, or bytes as they are. */
export interface Attachment {
  /** The document's own media type, and the type of the artifact. */
  readonly mediaType: string
  readonly document: unknown
  /** For people who list referrers. */
  readonly annotations: Readonly<Record<string, string>>
}

const emptyConfig = Buffer.from('{}')

export const describe = (mediaType: string, bytes: Buffer): Descriptor => ({
  mediaType,
  digest: digestOfBytes(bytes),
  size: bytes.byteLength,
})

/**
 * Attaches a document to an image without touching it: an artifact manifest that names the image as its `subject`
 * (OCI image-spec 1.1, manifest.md, "Guidelines for Artifact Usage").
 */
export async function attach(
  subject: Descriptor,
  { mediaType, document, annotations }: Attachment,
  store: ContentStore,
  created: string,
): Promise<Descriptor> {
  const content =
    document instanceof Uint8Array ? Buffer.from(document) : Buffer.from(canonicalJson(document))
  const manifest = Buffer.from(
    canonicalJson({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      artifactType: mediaType,
      config: describe(mediaTypes.empty, emptyConfig),
      layers: [describe(mediaType, content)],
      subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
      annotations: { 'org.opencontainers.image.created': created, ...annotations },
    }),
  )
  const descriptor = { ...describe(mediaTypes.manifest, manifest), artifactType: mediaType, annotations }
  await Promise.all([content, emptyConfig, manifest].map((bytes) => store.put(bytes)))
  await store.refer(descriptor)
  return descriptor
}
