import type { ImagePin } from '../build/image-resolver.ts'
import type { LoadedManifest } from '../config/load-manifest.ts'
import type { BuiltSystem } from '../core/freeze.ts'
import type { ImageDigest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'

/** Builds every image of a system, at the same time where it can, each from a clean state. */
export interface SystemBuilder {
  build(manifest: LoadedManifest, options: { readonly update: boolean }, op: Op): Promise<SystemBuild>
}

export interface SystemBuild extends BuiltSystem {
  /** By service name. */
  readonly results: readonly ServiceBuild[]
  /** Of the images that are named by tag. */
  readonly pins: readonly ImagePin[]
}

export interface ServiceBuild {
  readonly service: string
  readonly image: ImageDigest
  readonly cached: boolean
  readonly sizeBytes: number
  readonly durationMs: number
}
