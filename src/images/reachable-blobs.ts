import type { Digest } from '../core/ids.ts'
import { BasaltError } from '../errors.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import { isIndexType, isManifestType } from './descriptor.ts'
import { indexSchema, manifestSchema, parse, readJson } from './image.ts'

const maxBlobs = 100_000

/**
 * Every blob that a descriptor leads to, itself included, in the order found. A manifest's `subject` is not followed:
 * it points upwards. Rejects with `image.unknown` when one is missing, `image.invalid` when one is malformed, not as
 * large as it is said to be, or said to be two things; `content.corrupt` when one was cut off.
 */
export async function reachableBlobs(
  store: ContentStore,
  from: readonly Descriptor[],
): Promise<ReadonlyMap<Digest, Descriptor>> {
  const found = new Map<Digest, Descriptor>()
  const pending = [...from]
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    const known = found.get(next.digest)
    if (known !== undefined) {
      assertSame(known, next)
      continue
    }
    if (found.size === maxBlobs) throw invalid(next, `it leads to more than ${maxBlobs} blobs`)
    const sizeBytes = await store.size(next.digest)
    if (sizeBytes !== next.size) {
      await store.verify(next.digest)
      throw invalid(next, `it has ${sizeBytes} bytes instead of ${next.size}`)
    }
    found.set(next.digest, next)
    pending.push(...(await childrenOf(store, next)))
  }
  return found
}

/** So that all that was found can be read as each of its descriptors says, not only as the first one does. */
function assertSame(known: Descriptor, again: Descriptor): void {
  if (again.size !== known.size) throw invalid(again, `it has ${known.size} bytes instead of ${again.size}`)
  // Blobs without children may have several names: an image of Docker and one of OCI can share a layer.
  const leadsOn = [known, again].some(({ mediaType }) => isIndexType(mediaType) || isManifestType(mediaType))
  if (leadsOn && again.mediaType !== known.mediaType)
    throw invalid(again, `it is said to be both ${known.mediaType} and ${again.mediaType}`)
}

/** What a manifest or an index names; nothing for other blobs. */
export async function childrenOf(
  store: ContentStore,
  { digest, mediaType }: Descriptor,
): Promise<readonly Descriptor[]> {
  if (isIndexType(mediaType)) return parse(indexSchema, await readJson(store, digest), digest).manifests
  if (!isManifestType(mediaType)) return []
  const manifest = parse(manifestSchema, await readJson(store, digest), digest)
  return [manifest.config, ...manifest.layers]
}

const invalid = ({ digest }: Descriptor, reason: string): BasaltError =>
  new BasaltError('image.invalid', { message: `${digest} cannot be used: ${reason}`, details: { digest } })
