import type { Digest } from '../../core/ids.ts'
import { isDigest } from '../../core/ids.ts'
import type { Op } from '../../core/op.ts'
import { BasaltError } from '../../errors.ts'
import { formatReference, parseReference } from '../../images/reference.ts'
import type { Backend, PinnedPlace } from './backend.ts'
import { dockerfileMistake } from './parse/dockerfile-mistake.ts'
import type { ImagePlace } from './parse/parse-dockerfile.ts'

/** The digest that a reference means in its registry now. */
export type ResolveImage = (reference: string, op: Op) => Promise<Digest>

/** What images are pinned to: a part of basalt.lock, which all builds of a run share. */
export interface ImagePins {
  /** What a reference is pinned to; null: it has to be resolved. */
  find(reference: string): Digest | null
  /** What the lock says, also where all is resolved anew. */
  before(reference: string): Digest | null
  keep(reference: string, digest: Digest): void
}

export interface BasePorts {
  readonly pins: ImagePins
  /** Null: there is no registry to ask. */
  readonly resolveImage: ResolveImage | null
  /** Opened only when something is not pinned yet. */
  readonly backend: () => Promise<Backend>
}

/** A place with its digest, as far as that can be told without asking the builder. */
export type DigestPlace = Omit<PinnedPlace, 'onlyHere'>

/**
 * Pins every image that a Dockerfile is built from: as it is written, as basalt.lock has it, as the registry has it now;
 * an image that was made on this machine by its id. Rejects with `build.base-unresolved`.
 */
export async function resolveBases(
  file: string,
  service: string,
  places: readonly ImagePlace[],
  ports: BasePorts,
  op: Op,
): Promise<readonly DigestPlace[]> {
  const digests = new Map<string, Digest>()
  const found: DigestPlace[] = []
  for (const place of places) {
    const digest = digests.get(place.reference) ?? (await resolveBase(file, service, place, ports, op))
    digests.set(place.reference, digest)
    found.push({ ...place, digest })
  }
  return found
}

async function resolveBase(
  file: string,
  service: string,
  { reference, line }: ImagePlace,
  ports: BasePorts,
  op: Op,
): Promise<Digest> {
  const written = writtenDigest(file, line, reference)
  if (written !== null) return written
  const pinned = ports.pins.find(reference)
  const digest = pinned ?? (await lookUp(file, line, reference, ports, op))
  const previous = ports.pins.before(reference)
  ports.pins.keep(reference, digest)
  const change = previous === null || previous === digest ? '' : ` (was ${previous})`
  op.notify?.({
    code: previous === digest ? 'build.image' : 'build.image-pinned',
    message: `${service}: ${reference} → ${digest}${change}`,
    data: { service, reference, digest, previous },
  })
  return digest
}

function writtenDigest(file: string, line: number, reference: string): Digest | null {
  if (isDigest(reference)) return reference
  try {
    return parseReference(reference).digest
  } catch (cause) {
    throw dockerfileMistake(file, line, cause instanceof Error ? cause.message : String(cause))
  }
}

/**
 * What was made on this machine and never came from a registry is meant before anything of that name elsewhere: that is
 * also how Docker takes it, and a stranger's image of the same name must not slip in.
 */
async function lookUp(
  file: string,
  line: number,
  reference: string,
  { resolveImage, backend }: BasePorts,
  op: Op,
): Promise<Digest> {
  // Where no builder is to be had, a registry may still know; the build then says what is wrong with the builder.
  const local = await backend().then(
    (opened) => opened.findLocal(reference, op),
    () => null,
  )
  if (local?.repoDigests.length === 0) return local.id
  let failure: unknown = null
  if (resolveImage !== null)
    try {
      return await resolveImage(reference, op)
    } catch (cause) {
      op.signal.throwIfAborted()
      failure = cause
    }
  const { registry, repository } = parseReference(reference)
  for (const known of local?.repoDigests ?? []) {
    const parsed = parseReference(known)
    if (parsed.registry === registry && parsed.repository === repository && parsed.digest !== null)
      return parsed.digest
  }
  if (local !== null) return local.id
  throw unresolved(file, line, reference, failure)
}

function unresolved(file: string, line: number, reference: string, failure: unknown): BasaltError {
  const why = failure instanceof Error ? `: ${failure.message}` : ': no registry could be asked'
  return new BasaltError('build.base-unresolved', {
    message: `${file}:${line}: ${reference} could not be resolved to a digest${why}; and no builder of this machine has it`,
    remedy:
      (failure instanceof BasaltError ? failure.remedy : undefined) ??
      `Bring it to this machine: docker pull ${reference}. Or write it by its digest: ${reference}@sha256:…`,
    details: { reference, dockerfile: file, dockerfileLine: line },
    ...(failure === null ? {} : { cause: failure }),
  })
}

/**
 * Which of them only this machine has: their digest is the id of an image here. What the builder has by name and digest, or
 * has not at all and fetches, is a registry's.
 */
export async function findOnlyHere(
  bases: readonly DigestPlace[],
  backend: Backend,
  op: Op,
): Promise<readonly PinnedPlace[]> {
  const onlyHere = new Map<string, boolean>()
  for (const { reference, digest, stage } of bases) {
    if (stage === null || onlyHere.has(reference)) continue
    const named = isDigest(reference)
      ? null
      : formatReference({ ...parseReference(reference), tag: null, digest })
    const asNamed = named === null ? null : await backend.findLocal(named, op)
    onlyHere.set(reference, asNamed === null && (await backend.findLocal(digest, op)) !== null)
  }
  return bases.map((base) => ({ ...base, onlyHere: onlyHere.get(base.reference) ?? false }))
}
