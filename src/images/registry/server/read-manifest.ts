import * as z from 'zod'
import type { Digest } from '../../../core/ids.ts'
import type { Descriptor } from '../../content-store.ts'
import { descriptorSchema, isIndexType, isManifestType } from '../../descriptor.ts'
import { indexSchema, manifestSchema, mediaTypeOf } from '../../image.ts'
import type { NewManifest } from './catalogue.ts'
import { refusal } from './refusal.ts'

/** A manifest that was pushed, and what must be there before it. */
export interface ReadManifest extends NewManifest {
  readonly blobs: readonly Descriptor[]
  readonly manifests: readonly Descriptor[]
}

const subjectSchema = z.looseObject({ subject: descriptorSchema.optional() })

/**
 * Reads what was pushed as `mediaType` (distribution-spec, "Pushing Manifests"). Throws MANIFEST_INVALID: what it says
 * of itself must fit what it was sent as, since it will be served as that.
 */
export function readManifest(bytes: Buffer, digest: Digest, mediaType: string): ReadManifest {
  if (!isManifestType(mediaType) && !isIndexType(mediaType))
    throw invalid(`manifests of the media type "${mediaType}" are not taken`)
  const document = parseJson(bytes)
  const own = mediaTypeOf(document)
  if (own !== mediaType)
    throw invalid(`it was sent as ${mediaType}, and says of itself that it is ${own || 'nothing'}`)
  const subject = check(subjectSchema, document).subject?.digest ?? null
  const base = { mediaType, digest, size: bytes.byteLength }
  if (isIndexType(mediaType)) {
    const { manifests, artifactType, annotations } = check(indexSchema, document)
    const descriptor = described(base, artifactType, annotations)
    return { descriptor, subject, blobs: [], manifests, uses: manifests.map((entry) => entry.digest) }
  }
  const { config, layers, artifactType, annotations } = check(manifestSchema, document)
  const blobs = [config, ...layers.filter((layer) => !isElsewhere(layer))]
  // An artifact of before artifactType is known by its config (distribution-spec, "Listing Referrers").
  const descriptor = described(base, artifactType ?? config.mediaType, annotations)
  return { descriptor, subject, blobs, manifests: [], uses: blobs.map((blob) => blob.digest) }
}

const described = (
  base: Descriptor,
  artifactType: string | undefined,
  annotations: Readonly<Record<string, string>> | undefined,
): Descriptor => ({
  ...base,
  ...(artifactType === undefined ? {} : { artifactType }),
  ...(annotations === undefined ? {} : { annotations }),
})

/** Layers that must not be distributed have addresses of their own (image-spec, layer.md). */
const isElsewhere = (layer: Descriptor & { readonly urls?: unknown }): boolean =>
  Array.isArray(layer.urls) && layer.urls.length > 0

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw invalid(`it is not JSON: ${(cause as Error).message}`, cause)
  }
}

function check<Schema extends z.ZodType>(schema: Schema, document: unknown): z.infer<Schema> {
  const result = schema.safeParse(document)
  if (result.success) return result.data
  throw invalid(z.prettifyError(result.error), result.error)
}

const invalid = (reason: string, cause?: unknown) =>
  refusal('MANIFEST_INVALID', `the manifest is not taken: ${reason}`, cause === undefined ? {} : { cause })
