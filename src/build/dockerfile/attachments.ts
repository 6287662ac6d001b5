import { digestOf, digestOfBytes } from '../../core/digest.ts'
import type { Digest, ImageDigest } from '../../core/ids.ts'
import type { DockerfileRecipe } from '../../core/system.ts'
import type { BuildContext } from '../builder.ts'
import type { Attachment } from '../referrer.ts'
import type { PinnedPlace } from './backend.ts'
import type { Grading } from './build-grade.ts'
import type { BuildFiles } from './context/build-context.ts'

const statementType = 'application/vnd.in-toto+json'
export const logMediaType = 'text/plain; charset=utf-8'
const buildType = 'urn:basalt:dockerfile-builder:v1'

export interface BuildFacts {
  readonly recipe: DockerfileRecipe
  readonly context: BuildContext
  readonly files: BuildFiles
  readonly bases: readonly PinnedPlace[]
  readonly program: string
  readonly version: string
  readonly grading: Grading
  readonly log: Digest
}

const hex = (digest: string): string => digest.slice('sha256:'.length)

/**
 * How an image came about: SLSA provenance v1 in an in-toto Statement v1, unsigned, without times and names of folders.
 * Of secrets it has the ids alone.
 */
export function provenance(facts: BuildFacts, image: ImageDigest): Attachment {
  const { recipe, context, files, bases, program, version, grading, log } = facts
  const predicateType = 'https://slsa.dev/provenance/v1'
  const document = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ digest: { sha256: hex(image) } }],
    predicateType,
    predicate: {
      buildDefinition: {
        buildType,
        externalParameters: {
          dockerfile: recipe.dockerfile,
          target: recipe.target,
          args: recipe.args,
          ignore: recipe.ignore,
          secrets: recipe.secrets.map(({ id }) => id),
        },
        internalParameters: {
          sourceTime: context.sourceTime,
          ...(context.dirty ? { uncommittedChanges: true } : {}),
        },
        resolvedDependencies: [
          ...(context.revision === null || context.dirty
            ? []
            : [{ name: 'source', digest: { gitCommit: context.revision } }]),
          { name: 'context', digest: { sha256: files.digest } },
          { name: 'Dockerfile', digest: { sha256: hex(digestOfBytes(Buffer.from(files.dockerfileText))) } },
          ...basesOf(bases),
        ],
      },
      runDetails: {
        builder: { id: buildType, version: { [program]: version } },
        metadata: { basalt_grade: grading.grade, basalt_reasons: grading.reasons },
        byproducts: [{ name: 'build log', digest: { sha256: hex(log) } }],
      },
    },
  }
  return {
    mediaType: statementType,
    document,
    annotations: { 'org.basalt.attachment': 'provenance', predicateType },
  }
}

/** One image may stand in several places. */
const basesOf = (bases: readonly PinnedPlace[]) => [
  ...new Map(
    bases.map(({ reference, digest, onlyHere }) => [
      reference,
      {
        name: reference,
        digest: { sha256: hex(digest) },
        // An id is the digest of a configuration, which no registry can be asked for.
        ...(onlyHere ? { annotations: { basalt_onlyHere: true } } : {}),
      },
    ]),
  ).values(),
]

export const logAttachment = (text: Uint8Array, program: string): Attachment => ({
  mediaType: logMediaType,
  document: text,
  annotations: { 'org.basalt.attachment': 'build-log', 'org.basalt.builder': program },
})

/** What a second build without any cache gave. */
export interface Reproduction {
  readonly image: ImageDigest
  readonly again: ImageDigest
  /** Digests of uncompressed layers of the first one that the second one has not. */
  readonly differingLayers: readonly Digest[]
}

export function reproductionAttachment(
  { image, again, differingLayers }: Reproduction,
  program: string,
  version: string,
): Attachment {
  const predicateType = 'urn:basalt:reproduction:v1'
  return {
    mediaType: statementType,
    document: {
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ digest: { sha256: hex(image) } }],
      predicateType,
      predicate: {
        reproduced: image === again,
        builder: { id: buildType, version: { [program]: version } },
        again: { sha256: hex(again) },
        differingLayers,
      },
    },
    annotations: { 'org.basalt.attachment': 'reproduction', predicateType },
  }
}

/** All that decides what comes out, as far as it can be known beforehand. */
export const inputKey = (inputs: Readonly<Record<string, unknown>>): string => digestOf(inputs)
