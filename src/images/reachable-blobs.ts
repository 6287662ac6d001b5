import type { Digest } from '../core/ids.ts'
import { BasaltError } from '../errors.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import { isIndexType, isManifestType } from './descriptor.ts'
import { indexSchema, manifestSchema, parse, readJson } from './image.ts'

const maxBlobs = 100_000

/**
 * Every blob that a descriptor leads to, itself included, in the order found. A manifest's `subject` is not followed:
 * it points upwards. Rejects with `image.unknown` when one is missing, `image.invalid` when one is malformed or not as
 * large as it is said to be.
 */
export async function reachableBlobs(
  store: ContentStore,
  from: readonly Descriptor[],
): Promise<ReadonlyMap<Digest, Descriptor>> {
  const found = new Map<Digest, Descriptor>()
  const pending = [...from]
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    if (found.has(next.digest)) continue
    if (found.size === maxBlobs) throw invalid(next, `it leads to more than ${maxBlobs} blobs`)
    const sizeBytes = await store.size(next.digest)
    if (sizeBytes !== next.size) throw invalid(next, `it has ${sizeBytes} bytes instead of ${next.size}`)
    found.set(next.digest, next)
    pending.push(...(await childrenOf(store, next)))
  }
  return found
}

async function childrenOf(
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
