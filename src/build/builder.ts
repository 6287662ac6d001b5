import type { Digest, ImageDigest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'

/**
 * Turns a recipe into an image in the content store. Same inputs, same digest, on any machine, unless `made` says how far
 * that holds. An error that is the recipe's has `details.problems`, a `RecipeProblem` for each mistake.
 */
export interface Builder<Recipe> {
  readonly name: string
  /** One of the inputs: raised whenever the bytes that it makes may change. */
  readonly version: string
  build(recipe: Recipe, context: BuildContext, op: Op): Promise<BuiltImage>
}

export interface BuildContext {
  /** The service the image is for; names it in progress and errors. */
  readonly service: string
  /** Absolute path of the folder of basalt.yaml; nothing outside it is read. */
  readonly folder: string
  /** Seconds since the epoch: the time of the last commit that touched the recipe's inputs. */
  readonly sourceTime: number
  /** 40 hex digits, or null outside git. For provenance, not for bytes of layers. */
  readonly revision: string | null
  /** What is copied differs from the revision, so that this says nothing of the bytes. */
  readonly dirty: boolean
  /** Build once more without any cache, and see whether the same comes out. Only builders that run commands heed it. */
  readonly check?: boolean
}

export interface RecipeProblem {
  readonly message: string
  readonly remedy: string | null
  /** Where in the recipe: `['packages', 'nodejs']`, `['copy', 0]`. */
  readonly part: readonly (string | number)[]
}

export interface BuiltImage {
  readonly image: ImageDigest
  /** True when every layer came from the cache. */
  readonly cached: boolean
  readonly sizeBytes: number
  /** Of builders that leave the work to another program. */
  readonly made?: MadeBy
}

export interface MadeBy {
  /** `buildkit`, and its version: in a release's `builders`. */
  readonly program: string
  readonly version: string
  readonly grade: BuildGrade
  /** Why it is no better, in sentences. */
  readonly reasons: readonly string[]
  /** What the program printed: a blob of the content store. */
  readonly log: Digest
}

/**
 * How far an image can be made again. `bit-reproducible`: two builds without caches gave the same bytes. `inputs pinned`:
 * what goes in is known by digest, as far as Basalt can see. `recorded only`: something that went in is not.
 */
export type BuildGrade = 'bit-reproducible' | 'inputs pinned' | 'recorded only'

/** What somebody is logged in with at a registry: a name and a password, or a token in place of both. */
export interface Login {
  /** Empty with a token. */
  readonly user: string
  readonly secret: string
}

/** Null: nobody is logged in there. @param registry as references name it: `docker.io`, `localhost:5000` */
export type FindLogin = (registry: string, signal: AbortSignal) => Promise<Login | null>
