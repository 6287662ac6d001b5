import type { Digest, ImageDigest, ReleaseDigest } from './ids.ts'
import type { Expose, RunSpec } from './system.ts'

/**
 * The whole System frozen: every image by digest, all config; no environment and no secret value.
 * Its identity is the sha256 of its canonical JSON.
 */
export interface Release {
  readonly schema: 'basalt.release/v1'
  readonly system: string
  readonly services: Readonly<Record<string, ReleaseService>>
  readonly source: ReleaseSource
  /** Builder name to builder version, for the builders that made the images. */
  readonly builders: Readonly<Record<string, string>>
  /** Digest of basalt.lock, or null when nothing needed it. */
  readonly lock: Digest | null
}

export interface ReleaseService {
  readonly image: ImageDigest
  readonly run: RunSpec
  readonly expose: readonly Expose[]
  /** The default count; an environment may override it. */
  readonly replicas: number
  /** Notes for people and tools, no part of what runs; absent when there are none. */
  readonly labels?: Readonly<Record<string, string>>
}

export interface ReleaseSource {
  /** The last commit that touched any input of the system (40 hex digits); null outside a git work tree. */
  readonly revision: string | null
  /** Inputs differed from that commit. Such a release is marked for ever. */
  readonly dirty: boolean
}

/** A release as people name it: `shop@7`. Versions count up per system, one for each distinct digest. */
export interface ReleaseName {
  readonly name: string
  readonly version: number
  readonly digest: ReleaseDigest
}
