import { createHash } from 'node:crypto'
import type { Digest } from '../core/ids.ts'
import type { Release } from '../core/release.ts'
import { BasaltError } from '../errors.ts'
import { tarHeader } from '../util/tar-header.ts'
import type { ContentStore, Descriptor } from './content-store.ts'
import { encodeLayoutIndex } from './layout-index.ts'
import { reachableBlobs } from './reachable-blobs.ts'
import { loadReleaseIndex, releaseDescriptor, servicesByImage } from './release-artifact.ts'

const blockSize = 512

/**
 * A release as one file: the tar of an OCI image layout with just the blobs that the release needs. The same artifact
 * gives the same bytes. Each image can be named by its services, as in `skopeo inspect oci-archive:shop.tar:web`.
 *
 * Every blob is verified on its way out; the stream fails with `content.corrupt` rather than pass a bad one on.
 */
export async function* exportRelease(store: ContentStore, artifact: Digest): AsyncGenerator<Uint8Array> {
  const { release, releaseDigest, manifests } = await loadReleaseIndex(store, artifact)
  const root = releaseDescriptor({ release, releaseDigest, artifact }, await store.size(artifact))
  const blobs = await reachableBlobs(store, [root])
  // What tells an archive of a release from another tar comes first, so that a wrong file is refused at once.
  yield* document('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  yield* document('index.json', encodeLayoutIndex([root, ...namedImages(release, manifests)]))
  yield directory('blobs')
  yield directory('blobs/sha256')
  for (const digest of [...blobs.keys()].sort()) yield* blob(store, digest)
  yield Buffer.alloc(2 * blockSize)
}

function namedImages(release: Release, manifests: readonly Descriptor[]): readonly Descriptor[] {
  return [...servicesByImage(release)].flatMap(([digest, services]) => {
    const image = manifests.find((entry) => entry.digest === digest)
    if (image === undefined) return []
    return services.map((service) => ({
      ...image,
      annotations: { ...image.annotations, 'org.opencontainers.image.ref.name': service },
    }))
  })
}

/** Nothing in a member says who made the archive, where or when. */
const member = { uid: 0, gid: 0, mtime: 0 }
const directory = (path: string): Buffer => tarHeader({ ...member, path, kind: 'directory', mode: 0o755 }, 0)
const file = (path: string, sizeBytes: number): Buffer =>
  tarHeader({ ...member, path, kind: 'file', mode: 0o644, content: Buffer.of() }, sizeBytes)
const padding = (sizeBytes: number): Buffer => Buffer.alloc((blockSize - (sizeBytes % blockSize)) % blockSize)

function* document(path: string, text: string): Generator<Uint8Array> {
  const bytes = Buffer.from(text)
  yield Buffer.concat([file(path, bytes.byteLength), bytes, padding(bytes.byteLength)])
}

async function* blob(store: ContentStore, digest: Digest): AsyncGenerator<Uint8Array> {
  const sizeBytes = await store.size(digest)
  const hash = createHash('sha256')
  yield file(`blobs/sha256/${digest.slice('sha256:'.length)}`, sizeBytes)
  for await (const chunk of await store.open(digest)) {
    hash.update(chunk as Buffer)
    yield chunk as Buffer
  }
  const actual = `sha256:${hash.digest('hex')}`
  if (actual !== digest) {
    await store.verify(digest)
    // The blob is good: only what was read this time was not.
    throw new BasaltError('content.corrupt', {
      message: `${store.path(digest)} was read as ${actual}`,
      remedy: 'Check the disk and the memory, and export the release again: basalt release export',
      details: { digest, actual },
    })
  }
  yield padding(sizeBytes)
}
