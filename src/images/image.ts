import { arch } from 'node:process'
import * as z from 'zod'
import type { Digest, ImageDigest } from '../core/ids.ts'
import { BasaltError } from '../errors.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import {
  annotationsSchema,
  descriptorSchema,
  digestSchema,
  isIndexType,
  isManifestType,
  mediaTypes,
} from './descriptor.ts'

/** An image of one platform, its manifest and config checked against each other. */
export interface Image {
  /** Of the manifest; differs from what was asked for where that was an index of several platforms. */
  readonly digest: ImageDigest
  /** Lowest first. */
  readonly layers: readonly ImageLayer[]
  readonly config: ImageConfig
  readonly configDescriptor: Descriptor
}

export interface ImageLayer {
  readonly descriptor: Descriptor
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest
  readonly compression: 'none' | 'gzip' | 'zstd'
}

/** What instances are run from (image-spec, config.md), absent members filled in. */
export interface ImageConfig {
  readonly platform: Platform
  readonly env: readonly string[]
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  /** '' where the image says nothing. */
  readonly workdir: string
  readonly user: string | null
  readonly stopSignal: string | null
  readonly labels: Readonly<Record<string, string>>
}

export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string | undefined
}

/** Of Go, as image-spec has them, by Node's names. */
const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  arm64: 'arm64',
  arm: 'arm',
}

export const machinePlatform: Platform = { os: 'linux', architecture: architectures[arch] ?? arch }

export const isForMachine = ({ os, architecture }: Platform): boolean =>
  os === machinePlatform.os && architecture === machinePlatform.architecture

/** Registries need not take larger manifests (distribution-spec, "Pushing Manifests"); configs are of that order. */
const maxDocumentBytes = 4 * 2 ** 20
const maxLayers = 512

const platformSchema = z.looseObject({
  os: z.string(),
  architecture: z.string(),
  variant: z.string().optional(),
})

export const manifestSchema = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.string().optional(),
  config: descriptorSchema,
  layers: z.array(descriptorSchema).max(maxLayers),
  subject: descriptorSchema.optional(),
  annotations: annotationsSchema.optional(),
})

export const indexSchema = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.string().optional(),
  manifests: z
    .array(z.looseObject({ platform: platformSchema.optional() }).and(descriptorSchema))
    .max(10_000),
  annotations: annotationsSchema.optional(),
})

/** JSON writers in Go write null for what is absent. */
const absent = <Schema extends z.ZodType>(schema: Schema) => schema.nullish()

const configSchema = z.looseObject({
  os: z.string(),
  architecture: z.string(),
  variant: z.string().optional(),
  rootfs: z.looseObject({ type: z.literal('layers'), diff_ids: absent(z.array(digestSchema)) }),
  config: absent(
    z.looseObject({
      Env: absent(z.array(z.string())),
      Entrypoint: absent(z.array(z.string())),
      Cmd: absent(z.array(z.string())),
      WorkingDir: absent(z.string()),
      User: absent(z.string()),
      StopSignal: absent(z.string()),
      Labels: absent(z.record(z.string(), z.string())),
    }),
  ),
})

/**
 * Reads and checks an image; of an index, the one for `platform`. Layers are not read. Rejects with `image.unknown`
 * where a document is not in the store, `image.invalid` where it is malformed or for other platforms only.
 */
export async function loadImage(
  store: ContentStore,
  digest: Digest,
  platform = machinePlatform,
): Promise<Image> {
  const document = await readJson(store, digest)
  const mediaType = mediaTypeOf(document)
  if (isIndexType(mediaType))
    return loadImage(store, choosePlatform(parse(indexSchema, document, digest), digest, platform), platform)
  if (!isManifestType(mediaType)) throw invalid(digest, `it has the media type "${mediaType}"`)

  const manifest = parse(manifestSchema, document, digest)
  if (![mediaTypes.config, mediaTypes.dockerConfig].some((type) => type === manifest.config.mediaType))
    throw invalid(digest, `it is no image: its config has the media type "${manifest.config.mediaType}"`)
  const config = parse(configSchema, await readJson(store, manifest.config.digest), manifest.config.digest)
  const diffIds = config.rootfs.diff_ids ?? []
  if (diffIds.length !== manifest.layers.length)
    throw invalid(digest, `it has ${manifest.layers.length} layers, but its config has ${diffIds.length}`)
  return {
    digest,
    layers: manifest.layers.map((descriptor, index) => ({
      descriptor,
      diffId: diffIds[index] as Digest,
      compression: compressionOf(descriptor, digest),
    })),
    config: toImageConfig(config),
    configDescriptor: manifest.config,
  }
}

/** A manifest or an index, as it is. */
export async function readJson(store: ContentStore, digest: Digest): Promise<unknown> {
  const sizeBytes = await store.size(digest)
  if (sizeBytes > maxDocumentBytes)
    throw invalid(digest, `it has ${sizeBytes} bytes, more than the ${maxDocumentBytes} of a document`)
  const bytes = await store.read(digest)
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw invalid(digest, 'it is not JSON', cause)
  }
}

/** The member of a document that says what it is; OCI lets it be absent, then its other members tell. */
export function mediaTypeOf(document: unknown): string {
  if (typeof document !== 'object' || document === null) return ''
  if ('mediaType' in document && typeof document.mediaType === 'string') return document.mediaType
  if ('manifests' in document) return mediaTypes.index
  return 'layers' in document ? mediaTypes.manifest : ''
}

export function parse<Schema extends z.ZodType>(
  schema: Schema,
  document: unknown,
  digest: Digest,
): z.infer<Schema> {
  const result = schema.safeParse(document)
  if (result.success) return result.data
  throw invalid(digest, z.prettifyError(result.error), result.error)
}

/** The manifest of an index that is for a platform. `name` is what errors call the index. */
export function choosePlatform(index: z.infer<typeof indexSchema>, name: string, wanted: Platform): Digest {
  const fits = index.manifests.find(
    ({ platform, mediaType }) =>
      isManifestType(mediaType) &&
      platform?.os === wanted.os &&
      platform.architecture === wanted.architecture &&
      (wanted.variant === undefined || platform.variant === wanted.variant),
  )
  if (fits !== undefined) return fits.digest
  // BuildKit lists what it attaches to images as an image for `unknown/unknown`.
  const available = new Set(
    index.manifests.flatMap(({ platform }) =>
      platform === undefined || platform.os === 'unknown' ? [] : [platformName(platform)],
    ),
  )
  const platforms = [...available]
  throw new BasaltError('image.invalid', {
    message: `${name} is not for ${platformName(wanted)}, only for ${platforms.join(', ') || 'no platform'}`,
    remedy: 'Name an image that is built for this machine.',
    details: { image: name, platforms },
  })
}

export const platformName = ({ os, architecture, variant }: Platform): string =>
  [os, architecture, ...(variant === undefined ? [] : [variant])].join('/')

function compressionOf({ mediaType }: Descriptor, digest: Digest): ImageLayer['compression'] {
  switch (mediaType) {
    case mediaTypes.layerTar:
      return 'none'
    case mediaTypes.layerTarGzip:
    case mediaTypes.dockerLayerTarGzip:
      return 'gzip'
    case mediaTypes.layerTarZstd:
      return 'zstd'
    default:
      throw invalid(digest, `it has a layer of the media type "${mediaType}"`)
  }
}

function toImageConfig({ config, os, architecture, variant }: z.infer<typeof configSchema>): ImageConfig {
  return {
    platform: { os, architecture, variant },
    env: config?.Env ?? [],
    entrypoint: config?.Entrypoint ?? [],
    command: config?.Cmd ?? [],
    workdir: config?.WorkingDir ?? '',
    user: config?.User || null,
    stopSignal: config?.StopSignal || null,
    labels: config?.Labels ?? {},
  }
}

const invalid = (digest: Digest, reason: string, cause?: unknown): BasaltError =>
  new BasaltError('image.invalid', {
    message: `${digest} cannot be used as an image: ${reason}`,
    details: { digest },
    ...(cause === undefined ? {} : { cause }),
  })
