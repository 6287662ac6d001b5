import { digestOfBytes } from '../../../core/digest.ts'
import { type Digest, isDigest } from '../../../core/ids.ts'
import { BasaltError } from '../../../errors.ts'
import type { Descriptor } from '../../content-store.ts'
import { isIndexType, isManifestType, mediaTypes } from '../../descriptor.ts'
import { mediaTypeOf } from '../../image.ts'
import { formatReference, type ImageReference } from '../../reference.ts'
import type { HttpAnswer } from './http-transport.ts'
import { readBody, readRemark } from './read-body.ts'
import { failed, refusalIn } from './registry-error.ts'
import type { RegistrySession } from './registry-session.ts'

export interface FetchedManifest {
  readonly descriptor: Descriptor
  /** Byte-exact, and of the descriptor's digest. */
  readonly bytes: Buffer
  readonly document: unknown
}

/** Keeps bytes that are not what they should be; resolves with the file. */
export type KeepEvidence = (bytes: Buffer, expected: Digest) => Promise<string>

/** Registries need not take larger manifests (distribution-spec, "Pushing Manifests"). */
const maxManifestBytes = 4 * 2 ** 20

const accept = [
  mediaTypes.index,
  mediaTypes.manifest,
  mediaTypes.dockerIndex,
  mediaTypes.dockerManifest,
].join(', ')

/** Asks what a reference means now, without its bytes where the registry says it in headers. */
export async function resolveManifest(
  session: RegistrySession,
  reference: ImageReference,
  keepEvidence: KeepEvidence,
): Promise<Descriptor> {
  const answer = await ask(session, 'HEAD', reference)
  await readRemark(answer)
  const digest = answer.headers['docker-content-digest']
  const size = Number(answer.headers['content-length'] ?? Number.NaN)
  const mediaType = typeOf(answer)
  // Whoever says something else of what was asked for by digest is not believed, but read.
  const isPlausible = typeof digest === 'string' && (reference.digest ?? digest) === digest
  if (answer.status === 200 && isPlausible && isDigest(digest) && size > 0 && isSupported(mediaType))
    return { mediaType, digest, size }
  return (await fetchManifest(session, reference, keepEvidence)).descriptor
}

/**
 * The manifest or index that a reference means. Rejects with `registry.image-unknown`, `registry.wrong-bytes` where it
 * has not the digest that was asked for, `image.invalid` where it is none.
 */
export async function fetchManifest(
  session: RegistrySession,
  reference: ImageReference,
  keepEvidence: KeepEvidence,
): Promise<FetchedManifest> {
  const { registry } = session
  const name = formatReference(reference)
  const answer = await ask(session, 'GET', reference)
  if (answer.status === 404) throw unknown(reference, refusalIn(await readRemark(answer)))
  if (answer.status !== 200) {
    const reason = refusalIn(await readRemark(answer))
    throw failed(registry, name, `answered ${answer.status}${reason === null ? '' : `: ${reason}`}`)
  }
  const bytes = await readBody(answer, maxManifestBytes)
  if (bytes === null) throw failed(registry, name, `sent a manifest of more than ${maxManifestBytes} bytes`)
  const digest = digestOfBytes(bytes)
  const { digest: expected } = reference
  if (expected !== null && digest !== expected)
    throw wrongBytes(registry, expected, digest, await keepEvidence(bytes, expected))
  const document = parseJson(bytes, name)
  const mediaType = mediaTypeOf(document) || typeOf(answer)
  if (!isSupported(mediaType)) throw notAnImage(name, mediaType)
  return { descriptor: { mediaType, digest, size: bytes.byteLength }, bytes, document }
}

const ask = (session: RegistrySession, method: 'GET' | 'HEAD', reference: ImageReference) => {
  const { repository, tag, digest } = reference
  return session.send({
    method,
    path: `${repository}/manifests/${digest ?? tag ?? 'latest'}`,
    access: { repository, actions: 'pull' },
    headers: { accept },
  })
}

const typeOf = ({ headers }: HttpAnswer): string =>
  (headers['content-type'] ?? '').split(';')[0]?.trim() ?? ''

const isSupported = (mediaType: string): boolean => isManifestType(mediaType) || isIndexType(mediaType)

function parseJson(bytes: Buffer, name: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new BasaltError('image.invalid', {
      message: `${name} cannot be used as an image: its manifest is not JSON`,
      cause,
    })
  }
}

/** Of Docker before 2017: its layers have no digests of their content, and it changes with every pull. */
const isOldSchema = (mediaType: string): boolean =>
  /^application\/(?:vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)|json)$/.test(mediaType)

const notAnImage = (name: string, mediaType: string): BasaltError =>
  new BasaltError('image.invalid', {
    message: isOldSchema(mediaType)
      ? `${name} has a manifest of Docker's old schema 1, which is not supported`
      : `${name} is no image: its media type is "${mediaType.slice(0, 100)}"`,
    ...(isOldSchema(mediaType)
      ? { remedy: 'Push it again with a current tool, for example `skopeo copy --format oci`.' }
      : {}),
    details: { reference: name, mediaType },
  })

function unknown(reference: ImageReference, reason: string | null): BasaltError {
  const name = formatReference(reference)
  return new BasaltError('registry.image-unknown', {
    message: `${reference.registry} has no image ${name}${reason === null ? '' : `: ${reason}`}`,
    remedy:
      'Check the name and the tag; what one may not see counts as missing, too: sudo docker login <registry>',
    details: { reference: name },
  })
}

export const wrongBytes = (
  registry: string,
  expected: Digest,
  actual: string,
  evidence: string | null,
): BasaltError =>
  new BasaltError('registry.wrong-bytes', {
    message: `the registry ${registry} sent ${actual} in place of ${expected}; nothing of it was taken${evidence === null ? '' : `, and the bytes are kept in ${evidence}`}`,
    remedy:
      'Run the command again; if it stays, the registry or something on the way to it is broken or lies.',
    details: { registry, expected, actual, ...(evidence === null ? {} : { evidence }) },
  })
