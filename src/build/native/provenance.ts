import type { ImageDigest } from '../../core/ids.ts'
import type { Attachment } from '../referrer.ts'
import type { ImageParts } from './image-parts.ts'
import { packageUrl } from './software-bill.ts'

const mediaType = 'application/vnd.in-toto+json'
const predicateType = 'https://slsa.dev/provenance/v1'
const buildType = 'urn:basalt:native-builder:v1'

/**
 * How the image came about: SLSA provenance v1 in an in-toto Statement v1, unsigned. Without timings and names of
 * services or folders, so that it depends on the inputs alone: whoever builds the same attaches the same.
 */
export function provenance(parts: ImageParts, image: ImageDigest): Attachment {
  const { recipe, context, builder, architecture } = parts
  const document = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ digest: { sha256: image.slice('sha256:'.length) } }],
    predicateType,
    predicate: {
      buildDefinition: {
        buildType,
        externalParameters: { recipe, architecture },
        internalParameters: {
          sourceTime: context.sourceTime,
          ...(context.dirty ? { uncommittedChanges: true } : {}),
        },
        resolvedDependencies: [...sources(parts), ...packages(parts), ...layers(parts)],
      },
      runDetails: {
        builder: { id: buildType, version: { [builder.name]: builder.version } },
      },
    },
  }
  return { mediaType, document, annotations: { 'org.basalt.attachment': 'provenance', predicateType } }
}

/** A commit is named only when it has the bytes that were copied; the layers below tell those in any case. */
const sources = ({ context, recipe }: ImageParts) => [
  ...(context.revision === null || context.dirty
    ? []
    : [{ name: 'source', digest: { gitCommit: context.revision } }]),
  ...(recipe.base.kind === 'image'
    ? [{ name: 'base', digest: { sha256: recipe.base.digest.slice('sha256:'.length) } }]
    : []),
]

const packages = (parts: ImageParts) =>
  parts.packages.map((item) => ({ uri: packageUrl(item), digest: { sha256: item.sha256 } }))

/** What was copied, by the digest of the layer that it became. */
const layers = (parts: ImageParts) =>
  parts.layers
    .filter((layer) => layer.createdBy.startsWith('copy '))
    .map((layer) => ({ name: layer.createdBy, digest: { sha256: layer.digest.slice('sha256:'.length) } }))
