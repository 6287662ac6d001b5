import type { Digest, ImageDigest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import { type ImageReference, parseReference } from '../images/reference.ts'
import type { ImageLock } from './image-lock.ts'

export interface ResolvedImage {
  /** What the reference means: the same as `image`, or an index of several platforms. What basalt.lock pins. */
  readonly digest: Digest
  /** For this machine, and complete in the content store. */
  readonly image: ImageDigest
}

/** Which image each reference meant in a run, as `-o json` tells it. */
export interface ImagePin {
  /** As it is written: `nginx:1.25`. */
  readonly reference: string
  readonly digest: Digest
  /** What basalt.lock said before; null: nothing. */
  readonly previous: Digest | null
}

/** Finds the images that a system names by what they are called in a registry. One for each run. */
export interface ImageResolver {
  /**
   * The image of a reference: as pinned, else as the registry has it now, and then it is pinned. It is fetched where it is
   * not in the content store. `service` names it in progress. Rejects with `registry.*` or `image.*`.
   */
  resolve(reference: string, service: string, op: Op): Promise<ResolvedImage>
  /** Of all references with a tag that were resolved, sorted. */
  pins(): readonly ImagePin[]
}

export interface ImageResolverPorts {
  readonly lock: ImageLock
  /** The image for this machine that a digest leads to; null where it, or a part of it, is not in the content store. */
  readonly find: (digest: Digest) => Promise<ImageDigest | null>
  readonly registry: {
    resolve(reference: ImageReference, op: Op): Promise<{ readonly digest: Digest }>
    pull(reference: ImageReference, op: Op): Promise<{ readonly image: ImageDigest }>
  }
}

export function createImageResolver({ lock, find, registry }: ImageResolverPorts): ImageResolver {
  /** Services that name the same image share its way. */
  const running = new Map<string, Promise<ResolvedImage>>()

  const resolve = async (text: string, service: string, op: Op): Promise<ResolvedImage> => {
    const reference = parseReference(text)
    const known = reference.digest ?? lock.find(text)
    const digest = known ?? (await registry.resolve(reference, op)).digest
    if (reference.digest === null) tell({ text, digest, isNew: known === null, service }, op)
    const image = (await find(digest)) ?? (await registry.pull({ ...reference, tag: null, digest }, op)).image
    // Pinned only now: what cannot be had is no basis for the next build.
    if (reference.digest === null) lock.keep(text, digest)
    return { digest, image }
  }

  const tell = (
    found: {
      readonly text: string
      readonly digest: Digest
      readonly isNew: boolean
      readonly service: string
    },
    op: Op,
  ): void => {
    const { text, digest, isNew, service } = found
    const previous = lock.before(text)
    const change = previous === null || previous === digest ? '' : ` (was ${previous})`
    op.notify?.({
      code: isNew && previous !== digest ? 'build.image-pinned' : 'build.image',
      message: `${service}: ${text} → ${digest}${change}`,
      data: { service, reference: text, digest, previous },
    })
  }

  return {
    resolve(reference, service, op) {
      const known = running.get(reference) ?? resolve(reference, service, op)
      running.set(reference, known)
      return known
    },
    pins: () =>
      lock.pinned().map(([reference, digest]) => ({ reference, digest, previous: lock.before(reference) })),
  }
}
