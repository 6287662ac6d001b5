import { basename, dirname, join } from 'node:path'
import type { BuildContext, Builder, BuiltImage } from '../build/builder.ts'
import type { ImageLock } from '../build/image-lock.ts'
import type { ImageResolver } from '../build/image-resolver.ts'
import { type BuildLock, packageLockDigest, readLock, writeLock } from '../build/lock-file.ts'
import type { Source } from '../build/source.ts'
import type { LoadedManifest } from '../config/load-manifest.ts'
import type { Digest, ImageDigest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type {
  DockerfileRecipe,
  ImageSource,
  NativeRecipe,
  RecipeBase,
  RegistrySource,
  ServiceSpec,
} from '../core/system.ts'
import { buildError, type FailedBuild, hasPlace, inBase } from './build-mistakes.ts'
import type { ServiceBuild, SystemBuilder } from './system-builder.ts'

export interface SystemBuilderPorts {
  /** Builders for one run: they share its lock. */
  readonly openBuilders: (lock: BuildLock) => Builders | Promise<Builders>
  /** One for each run, likewise. */
  readonly openResolver: (lock: ImageLock) => ImageResolver | Promise<ImageResolver>
  /** A document of the content store. */
  readonly readText: (digest: Digest) => Promise<string>
  /** What git knows of a folder. */
  readonly openSource: (folder: string, op: Op) => Promise<Source>
  /** Size of an image that is named by digest; rejects with `image.unknown`. */
  readonly imageSizeBytes: (image: ImageDigest) => Promise<number>
}

/** One for each kind of recipe. */
export interface Builders {
  readonly native: Builder<NativeRecipe>
  readonly dockerfile: Builder<DockerfileRecipe>
}

const lockName = 'basalt.lock'

/** Builds the services of a manifest at the same time; the lock is written once, when all succeeded. */
export function createSystemBuilder(ports: SystemBuilderPorts): SystemBuilder {
  return {
    async build(manifest, { update, check, log }, op) {
      const folder = dirname(manifest.file)
      const lockFile = join(folder, lockName)
      const [lock, source] = await Promise.all([readLock(lockFile, { update }), ports.openSource(folder, op)])
      const builders = await ports.openBuilders(lock)
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
      const results = await buildServices(
        { ports, builders, resolver, source, manifest, check, log },
        services,
        op,
      )
      const { revision, warnings } = await change
      if (await writeLock(lockFile, lock))
        op.notify?.({ code: 'build.lock-written', message: `${lockName} was written: commit it` })
      for (const warning of warnings) op.notify?.({ code: 'build.warning', message: warning })
      const isNative = services.some(([, { source: own }]) => own.kind === 'native')
      return {
        images: Object.fromEntries(results.map(({ service, image }) => [service, image])),
        results,
        source: { revision, dirty: await isDirty(source, inputs) },
        builders: {
          ...(isNative ? { [builders.native.name]: builders.native.version } : {}),
          ...programsOf(results),
        },
        lock: packageLockDigest(lock.packages),
        pins: resolver.pins(),
      }
    },
  }
}

/** What made images for our builders, by name; several versions where not all were built at one time. */
function programsOf(results: readonly ServiceBuild[]): Readonly<Record<string, string>> {
  const programs = new Map<string, Set<string>>()
  for (const { made } of results)
    if (made !== null) programs.set(made.program, (programs.get(made.program) ?? new Set()).add(made.version))
  return Object.fromEntries(
    [...programs].map(([name, versions]) => [name, [...versions].toSorted().join(', ')]),
  )
}

/**
 * A lock that no commit has yet was made by a build of this very commit, and the release has its digest: it takes
 * nothing away from what the revision says. One that differs from the committed one does.
 */
async function isDirty(source: Source, inputs: readonly string[]): Promise<boolean> {
  const lockIsNew = await source.isNew(lockName)
  return lockIsNew
    ? source.isDirty(
        inputs.filter((path) => path !== lockName),
        lockName,
      )
    : source.isDirty(inputs)
}

/** What the builds of one run share. */
interface BuildRun {
  readonly ports: SystemBuilderPorts
  readonly builders: Builders
  readonly check: boolean
  readonly log: boolean
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
        if (!hasPlace(error)) stop.abort(error)
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
  run: BuildRun,
  service: string,
  { source }: ServiceSpec,
  op: Op,
): Promise<ServiceBuild> {
  const since = performance.now()
  const built = await builtImage(run, service, source, op)
  const { made = null, ...image } = built
  const output = run.log && made !== null ? await run.ports.readText(made.log) : null
  return { service, ...image, made, output, durationMs: Math.round(performance.now() - since) }
}

async function builtImage(run: BuildRun, service: string, source: ImageSource, op: Op): Promise<BuiltImage> {
  const { builders, resolver } = run
  switch (source.kind) {
    case 'image':
    case 'reference': {
      const { digest } = await pinned(source, resolver, service, op)
      return { image: digest, cached: true, sizeBytes: await run.ports.imageSizeBytes(digest) }
    }
    case 'native': {
      const base = await inBase(() => pinned(source.recipe.base, resolver, service, op))
      return builders.native.build({ ...source.recipe, base }, await contextOf(run, service, source), op)
    }
    case 'dockerfile':
      return builders.dockerfile.build(source.recipe, await contextOf(run, service, source), op)
  }
}

async function contextOf(
  { source, manifest, check }: BuildRun,
  service: string,
  own: ImageSource,
): Promise<BuildContext> {
  const inputs = pathsOf(own)
  const [{ time, revision }, dirty] = await Promise.all([
    source.lastChange(inputs),
    // What a build writes itself is no part of what is built.
    source.isDirty(inputs, lockName),
  ])
  return { service, folder: dirname(manifest.file), sourceTime: time, revision, dirty, check }
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

/** Relative to the folder of basalt.yaml. */
function pathsOf(source: ImageSource): readonly string[] {
  if (source.kind === 'native') return source.recipe.copy.map(({ from }) => from)
  if (source.kind !== 'dockerfile') return []
  const { context, dockerfile } = source.recipe
  return [...new Set([context, join(context, dockerfile)])]
}
