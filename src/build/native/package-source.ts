import type { Op } from '../../core/op.ts'
import type { LockedPackage } from '../package-lock.ts'
import type { Layer, LayerCache } from './layer-cache.ts'

/** Debian as a base: the layers of its packages, and which ones they are. */
export interface PackageSource {
  layers(
    request: { readonly suite: string; readonly packages: readonly string[]; readonly service: string },
    cache: LayerCache,
    op: Op,
  ): Promise<{ readonly layers: readonly Layer[]; readonly packages: readonly LockedPackage[] }>
}
