import type { MadeBy } from '../build/builder.ts'
import type { ImagePin } from '../build/image-resolver.ts'
import type { LoadedManifest } from '../config/load-manifest.ts'
import type { BuiltSystem } from '../core/freeze.ts'
import type { ImageDigest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'

/** Builds every image of a system, at the same time where it can, each from a clean state. */
export interface SystemBuilder {
  build(manifest: LoadedManifest, options: SystemBuildOptions, op: Op): Promise<SystemBuild>
}

export interface SystemBuildOptions {
  /** Resolve all that basalt.lock pins anew. */
  readonly update: boolean
  /** Build what runs commands a second time, and see whether the same comes out. */
  readonly check: boolean
  /** Tell what the programs printed that built. */
  readonly log: boolean
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
  /** Null where Basalt made it itself, or nobody had to. */
  readonly made: MadeBy | null
  /** What the program printed; null where it was not asked for, or there is none. */
  readonly output: string | null
}
