import { join } from 'node:path'
import type { Op } from '../../core/op.ts'
import type { NativeRecipe } from '../../core/system.ts'
import { BasaltError } from '../../errors.ts'
import type { ContentStore } from '../../images/content-store.ts'
import { diskError } from '../../util/disk-error.ts'
import { removeLeftovers } from '../../util/remove-leftovers.ts'
import type { BuildContext, Builder, BuiltImage } from '../builder.ts'
import { inPart } from '../recipe-part.ts'
import { readBaseImage } from './base-image.ts'
import { nativeBuilderVersion } from './builder-version.ts'
import { copyLayer } from './copy-layer.ts'
import { stackLayers } from './image-paths.ts'
import { writeImage } from './image-writer.ts'
import { type Layer, type LayerCache, openLayerCache } from './layer-cache.ts'
import { notifyLayer } from './layer-progress.ts'
import type { PackageSource } from './package-source.ts'

export interface NativeBuilderPorts {
  readonly store: ContentStore
  /** May be deleted at any time: it costs time only. */
  readonly cacheFolder: string
  readonly debian: PackageSource
  /** As OCI names it: `amd64`, `arm64`. */
  readonly architecture: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Makes images without a daemon and without running anything of what goes into them. */
export function createNativeBuilder(ports: NativeBuilderPorts): Builder<NativeRecipe> {
  const layers = join(ports.cacheFolder, 'layers')
  const cache = openLayerCache(layers, ports.store)
  let tidied: Promise<unknown> | undefined
  return {
    name: 'native',
    version: nativeBuilderVersion,
    async build(recipe, context, op) {
      try {
        await (tidied ??= Promise.all([ports.cacheFolder, layers].map((folder) => removeLeftovers(folder))))
        return await buildImage(recipe, context, op, { ...ports, cache })
      } catch (cause) {
        throw translated(cause, context, op)
      }
    },
  }
}

type Ports = NativeBuilderPorts & { readonly cache: LayerCache }

async function buildImage(
  recipe: NativeRecipe,
  context: BuildContext,
  op: Op,
  ports: Ports,
): Promise<BuiltImage> {
  const { base: from } = recipe
  const { architecture } = ports
  const base =
    from.kind === 'image'
      ? await inPart(['base'], () => readBaseImage(from.digest, architecture, ports, op))
      : null
  const debian =
    from.kind === 'debian'
      ? await inPart(
          ({ details }) => debianPart(details),
          () =>
            ports.debian.layers(
              { suite: from.suite, packages: recipe.packages, service: context.service },
              ports.cache,
              op,
            ),
        )
      : { layers: [], packages: [] }

  const layers: Layer[] = [...debian.layers]
  for (const [index, spec] of recipe.copy.entries()) {
    op.signal.throwIfAborted()
    const below = [...(base?.layers ?? []), ...layers].map((layer) => layer.paths)
    const inputs = {
      folder: context.folder,
      spec,
      lower: stackLayers(below),
      mtime: context.sourceTime,
      builderVersion: nativeBuilderVersion,
      signal: op.signal,
    }
    const layer = await inPart(['copy', index], () => copyLayer(inputs, ports))
    notifyLayer(layer, context.service, op)
    layers.push(layer)
  }
  const builder = { name: 'native', version: nativeBuilderVersion }
  const built = await writeImage(
    { recipe, context, architecture, base, layers, packages: debian.packages, builder },
    ports.store,
  )
  op.notify?.({
    code: 'build.done',
    message: `${context.service}: ${built.image.slice(0, 19)}${built.cached ? ' (unchanged)' : ''}`,
    data: { service: context.service, ...built },
  })
  return built
}

/** What the Debian side says of a mistake: the package, or the suite that nobody has. */
function debianPart({ package: name, suite }: BasaltError['details']): readonly string[] {
  if (typeof name === 'string') return ['packages', name]
  return suite === undefined ? ['packages'] : ['base']
}

/** The border to the file system: what it says is told in our words, naming the service. */
function translated(cause: unknown, { service }: BuildContext, op: Op): unknown {
  if (cause instanceof BasaltError) return cause
  if (op.signal.aborted) {
    return new BasaltError('request.interrupted', {
      message: `the build of ${service} was interrupted`,
      cause,
    })
  }
  const error = cause as NodeJS.ErrnoException
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') return diskError(error.path ?? service, cause)
  if (typeof error.code !== 'string') return cause
  return new BasaltError('build.failed', {
    message: `${service} could not be built: ${error.message}`,
    details: { service },
    cause,
  })
}
