import type { NativeRecipe } from '../../core/system.ts'
import type { BuildContext } from '../builder.ts'
import type { LockedPackage } from '../package-lock.ts'
import type { BaseImage } from './base-image.ts'
import type { Layer } from './layer-cache.ts'

/** All that an image is put together from. */
export interface ImageParts {
  readonly recipe: NativeRecipe
  readonly context: BuildContext
  /** As OCI names it: `amd64`, `arm64`. */
  readonly architecture: string
  readonly base: BaseImage | null
  /** What is added to the base, the lowest first. */
  readonly layers: readonly Layer[]
  readonly packages: readonly LockedPackage[]
  readonly builder: { readonly name: string; readonly version: string }
}
