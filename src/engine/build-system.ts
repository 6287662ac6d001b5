import { basename, dirname, join } from 'node:path'
import type { Builder } from '../build/builder.ts'
import type { ImageLock } from '../build/image-lock.ts'
import type { ImageResolver } from '../build/image-resolver.ts'
import { packageLockDigest, readLock, writeLock } from '../build/lock-file.ts'
import type { PackageLock } from '../build/package-lock.ts'
import type { Source } from '../build/source.ts'
import type { LoadedManifest } from '../config/load-manifest.ts'
import type { ImageDigest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { NativeRecipe, RecipeBase, RegistrySource, ServiceSpec } from '../core/system.ts'
import { buildError, type FailedBuild, inBase, isMistake } from './build-mistakes.ts'
import type { ServiceBuild, SystemBuilder } from './system-builder.ts'

export interface SystemBuilderPorts {
  /** One builder for each run: it shares the run's lock. */
  readonly openBuilder: (lock: PackageLock) => Builder<NativeRecipe> | Promise<Builder<NativeRecipe>>
  /** One for each run, likewise. */
  readonly openResolver: (lock: ImageLock) => ImageResolver | Promise<ImageResolver>
  /** What git knows of a folder. */
  readonly openSource: (folder: string, op: Op) => Promise<Source>
  /** Size of an image that is named by digest; rejects with `image.unknown`. */
  readonly imageSizeBytes: (image: ImageDigest) => Promise<number>
}

const lockName = 'basalt.lock'

/** Builds the services of a manifest at the same time; the lock is written once, when all succeeded. */
export function createSystemBuilder(ports: SystemBuilderPorts): SystemBuilder {
  return {
    async build(manifest, { update }, op) {
      const folder = dirname(manifest.file)
      const lockFile = join(folder, lockName)
      const [lock, source] = await Promise.all([readLock(lockFile, { update }), ports.openSource(folder, op)])
      const builder = await ports.openBuilder(lock.packages)
      const resolver = await ports.openResolver(lock.images)
      const services = Object.entries(manifest.system.services)
      const inputs = [
        basename(manifest.file),
        lockName,
        ...services.flatMap(([, { source: own }]) => pathsOf(own)),
      ]
      const change = source.lastChange(inputs)
      // Awaited below; until then it must not count as unhandled.
      change.catch(() => {})
      const results = await buildServices({ ports, builder, resolver, source, manifest }, services, op)
      const { revision, warnings } = await change
      if (await writeLock(lockFile, lock))
        op.notify?.({ code: 'build.lock-written', message: `${lockName} was written: commit it` })
      for (const warning of warnings) op.notify?.({ code: 'build.warning', message: warning })
      const isNative = services.some(([, { source: own }]) => own.kind === 'native')
      return {
        images: Object.fromEntries(results.map(({ service, image }) => [service, image])),
        results,
        source: { revision, dirty: await isDirty(source, inputs) },
        builders: isNative ? { [builder.name]: builder.version } : {},
        lock: packageLockDigest(lock.packages),
        pins: resolver.pins(),
      }
    },
  }
}

/**
 * A lock that no commit has yet was made by a build of this very commit, and the release has its digest: it takes
 * nothing away from what the revision says. One that differs from the committed one does.
 */
async function isDirty(source: Source, inputs: readonly string[]): Promise<boolean> {
  const lockIsNew = await source.isNew(lockName)
  return source.isDirty(lockIsNew ? inputs.filter((path) => path !== lockName) : inputs)
}

/** What the builds of one run share. */
interface BuildRun {
  readonly ports: SystemBuilderPorts
  readonly builder: Builder<NativeRecipe>
  readonly resolver: ImageResolver
  readonly source: Source
  readonly manifest: LoadedManifest
}

/**
 * All at the same time. A mistake in one recipe does not stop the others, so that all mistakes are told at once; where
 * the machine is in the way, nothing works on.
 */
async function buildServices(
  run: BuildRun,
  services: readonly (readonly [string, ServiceSpec])[],
  op: Op,
): Promise<readonly ServiceBuild[]> {
  const failed: FailedBuild[] = []
  const stop = new AbortController()
  const shared = { ...op, signal: AbortSignal.any([op.signal, stop.signal]) }
  let unfinished = services.length
  const built = await Promise.all(
    services.map(async ([service, spec]) => {
      try {
        return [await buildService(run, service, spec, shared)]
      } catch (error) {
        failed.push({ service, source: spec.source, error })
        if (!isMistake(error)) stop.abort(error)
        else if (unfinished > 1)
          op.notify?.({ code: 'build.failed', message: `${service}: cannot be built`, data: { service } })
        return []
      } finally {
        unfinished--
      }
    }),
  )
  if (failed.length > 0) throw buildError(run.manifest, failed)
  return built.flat()
}

async function buildService(
  { ports, builder, resolver, source, manifest }: BuildRun,
  service: string,
  spec: ServiceSpec,
  op: Op,
): Promise<ServiceBuild> {
  const since = performance.now()
  const elapsedMs = (): number => Math.round(performance.now() - since)
  if (spec.source.kind === 'image' || spec.source.kind === 'reference') {
    const { digest } = await pinned(spec.source, resolver, service, op)
    const sizeBytes = await ports.imageSizeBytes(digest)
    return { service, image: digest, cached: true, sizeBytes, durationMs: elapsedMs() }
  }
  const { recipe } = spec.source
  const base = await inBase(() => pinned(recipe.base, resolver, service, op))
  const inputs = pathsOf(spec.source)
  const [{ time, revision }, dirty] = await Promise.all([source.lastChange(inputs), source.isDirty(inputs)])
  const context = { service, folder: dirname(manifest.file), sourceTime: time, revision, dirty }
  const built = await builder.build({ ...recipe, base }, context, op)
  return { service, ...built, durationMs: elapsedMs() }
}

/** With the digest that is built from. */
async function pinned<Base extends RecipeBase>(
  base: Base,
  resolver: ImageResolver,
  service: string,
  op: Op,
): Promise<Exclude<Base, RegistrySource> | PinnedImage> {
  if (base.kind !== 'reference') return base as Exclude<Base, RegistrySource>
  return { kind: 'image', digest: (await resolver.resolve(base.reference, service, op)).image }
}

type PinnedImage = Extract<RecipeBase, { readonly kind: 'image' }>

const pathsOf = (source: ServiceSpec['source']): readonly string[] =>
  source.kind === 'native' ? source.recipe.copy.map(({ from }) => from) : []
