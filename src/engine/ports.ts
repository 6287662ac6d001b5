import type { LoadedManifest } from '../config/load-manifest.ts'
import type { DeploymentId, Digest, ReleaseDigest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { Release } from '../core/release.ts'
import type { ImageReference } from '../images/reference.ts'
import type { TreeHead, VerifiedHead } from '../store/store.ts'
import type { Target } from '../targets/target.ts'
import type { ImportedImage, PulledImage, PushedImage } from './engine.ts'
import type { Journal } from './journal.ts'
import type { SystemBuilder } from './system-builder.ts'

/** Everything that the engine reaches the world through; main.ts names the concrete ones. */
export interface EnginePorts {
  readonly journal: Journal
  readonly targets: ReadonlyMap<string, Target>
  readonly loadManifest: (file: string) => Promise<LoadedManifest>
  readonly builder: SystemBuilder
  readonly releases: ReleaseShelf
  readonly importImages: (bytes: AsyncIterable<Uint8Array>, op: Op) => Promise<readonly ImportedImage[]>
  readonly registries: ImageRegistries
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly newDeploymentId: () => DeploymentId
  /** For what happens when nobody asked: healing, retiring, unexpected failures. */
  readonly log: (message: string, details?: Readonly<Record<string, unknown>>) => void
  readonly verifyLedger: (from: TreeHead | null, op: Op) => Promise<VerifiedHead>
}

/** Images from and to registries of others. */
export interface ImageRegistries {
  /** Into the content store, for this machine. */
  pull(reference: ImageReference, op: Op): Promise<Omit<PulledImage, 'reference'>>
  /** A release with all that it needs. */
  pullRelease(reference: ImageReference, op: Op): Promise<{ readonly release: Release }>
  push(digest: Digest, to: ImageReference, op: Op): Promise<Pick<PushedImage, 'blobs' | 'sentBytes'>>
}

/** Release documents beside their images. */
export interface ReleaseShelf {
  /** Stores the document as an OCI artifact; the same release gives the same digests. */
  put(release: Release): Promise<{ readonly releaseDigest: ReleaseDigest; readonly artifact: ReleaseDigest }>
  get(releaseDigest: ReleaseDigest): Promise<Release>
  exportArchive(artifact: ReleaseDigest): AsyncIterable<Uint8Array>
  importArchive(
    bytes: AsyncIterable<Uint8Array>,
    op: Op,
  ): Promise<{
    readonly release: Release
    readonly releaseDigest: ReleaseDigest
    readonly artifact: ReleaseDigest
  }>
}
