import { basename, dirname, join } from 'node:path'
import type { Builder } from '../build/builder.ts'
import { packageLockDigest, readPackageLock, writePackageLock } from '../build/lock-file.ts'
import type { PackageLock } from '../build/package-lock.ts'
import type { Source } from '../build/source.ts'
import type { LoadedManifest } from '../config/load-manifest.ts'
import type { ImageDigest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { NativeRecipe, ServiceSpec } from '../core/system.ts'
import { BasaltError } from '../errors.ts'
import type { ServiceBuild, SystemBuilder } from './system-builder.ts'

export interface SystemBuilderPorts {
  /** One builder for each run: it shares the run's lock. */
  readonly openBuilder: (lock: PackageLock) => Builder<NativeRecipe>
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
      const [lock, source] = await Promise.all([
        readPackageLock(lockFile, { update }),
        ports.openSource(folder, op),
      ])
      const builder = ports.openBuilder(lock)
      const services = Object.entries(manifest.system.services)
      const inputs = [
        basename(manifest.file),
        lockName,
        ...services.flatMap(([, { source: own }]) => pathsOf(own)),
      ]
      const [change, results] = await Promise.all([
        source.lastChange(inputs),
        Promise.all(
          services.map(([name, service]) =>
            buildService({ ports, builder, source, manifest }, name, service, op),
          ),
        ),
      ])
      await writePackageLock(lockFile, lock)
      for (const warning of change.warnings) op.notify?.({ code: 'build.warning', message: warning })
      const isNative = services.some(([, { source: own }]) => own.kind === 'native')
      return {
        images: Object.fromEntries(results.map(({ service, image }) => [service, image])),
        results,
        source: { revision: change.revision, dirty: await source.isDirty(inputs) },
        builders: isNative ? { [builder.name]: builder.version } : {},
        lock: packageLockDigest(lock),
      }
    },
  }
}

/** What the builds of one run share. */
interface BuildRun {
  readonly ports: SystemBuilderPorts
  readonly builder: Builder<NativeRecipe>
  readonly source: Source
  readonly manifest: LoadedManifest
}

async function buildService(
  { ports, builder, source, manifest }: BuildRun,
  service: string,
  spec: ServiceSpec,
  op: Op,
): Promise<ServiceBuild> {
  const since = performance.now()
  const elapsedMs = (): number => Math.round(performance.now() - since)
  if (spec.source.kind === 'image') {
    const { digest } = spec.source
    const sizeBytes = await ports.imageSizeBytes(digest)
    return { service, image: digest, cached: true, sizeBytes, durationMs: elapsedMs() }
  }
  const inputs = pathsOf(spec.source)
  const [{ time, revision }, dirty] = await Promise.all([source.lastChange(inputs), source.isDirty(inputs)])
  const context = { service, folder: dirname(manifest.file), sourceTime: time, revision, dirty }
  const built = await builder.build(spec.source.recipe, context, op).catch((error: unknown) => {
    throw placed(error, manifest, service)
  })
  return { service, ...built, durationMs: elapsedMs() }
}

const pathsOf = (source: ServiceSpec['source']): readonly string[] =>
  source.kind === 'native' ? source.recipe.copy.map(({ from }) => from) : []

/** Names the place in the manifest that a failing build comes from. */
function placed(error: unknown, manifest: LoadedManifest, service: string): unknown {
  if (!(error instanceof BasaltError) || !error.code.startsWith('build.')) return error
  const { details, message, remedy, code, cause } = error
  const place =
    manifest.locate(['services', service, 'build', ...partOf(code)]) ?? manifest.locate(['services', service])
  if (place === null) return error
  return new BasaltError(code, {
    message: `${manifest.file}:${place.line}:${place.column}: ${message}`,
    ...(remedy === undefined ? {} : { remedy }),
    details: { ...details, file: manifest.file, line: place.line, column: place.column },
    cause,
  })
}

function partOf(code: BasaltError['code']): readonly string[] {
  if (code === 'build.package-unknown' || code === 'build.package-unresolvable') return ['packages']
  if (code === 'build.path-escapes' || code === 'build.path-missing') return ['copy']
  return code === 'build.entrypoint-missing' ? ['entrypoint'] : []
}
