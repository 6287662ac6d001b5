import * as z from 'zod'
import { type Digest, digestPattern } from '../core/ids.ts'
import type { Descriptor } from './content-store.ts'

/** OCI media types (image-spec, media-types.md) and those of Docker that mean the same. */
export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layerTar: 'application/vnd.oci.image.layer.v1.tar',
  layerTarGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerTarZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  empty: 'application/vnd.oci.empty.v1+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayerTarGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const

export const digestSchema = z
  .string()
  .regex(digestPattern, 'must be sha256: and 64 lower-case hex digits')
  .transform((text) => text as Digest)

export const annotationsSchema = z.record(z.string(), z.string())

/**
 * image-spec, descriptor.md. Members that we don't know are kept: a descriptor is written back as it came.
 * An absent member stays absent instead of becoming undefined.
 */
export const descriptorSchema = z
  .looseObject({
    mediaType: z.string().min(1),
    digest: digestSchema,
    size: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
    artifactType: z.string().optional(),
    annotations: annotationsSchema.optional(),
  })
  .transform(
    ({ artifactType, annotations, ...rest }): Descriptor => ({
      ...rest,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(annotations === undefined ? {} : { annotations }),
    }),
  )

export const isManifestType = (mediaType: string): boolean =>
  mediaType === mediaTypes.manifest || mediaType === mediaTypes.dockerManifest

export const isIndexType = (mediaType: string): boolean =>
  mediaType === mediaTypes.index || mediaType === mediaTypes.dockerIndex
