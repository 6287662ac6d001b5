import type { LoadedManifest } from '../config/load-manifest.ts'
import { freeze } from '../core/freeze.ts'
import type { Op } from '../core/op.ts'
import type { Release, ReleaseName } from '../core/release.ts'
import { invariant } from '../errors.ts'
import type { BuildRequest, BuildResult } from './engine.ts'
import type { EnginePorts } from './ports.ts'

/** Builds what is needed, freezes, and records a new release where the system is not the same as an earlier one. */
export async function build(ports: EnginePorts, request: BuildRequest, op: Op): Promise<BuildResult> {
  return buildManifest(ports, await ports.loadManifest(request.file), request, op)
}

export async function buildManifest(
  ports: EnginePorts,
  manifest: LoadedManifest,
  request: Omit<BuildRequest, 'file'>,
  op: Op,
): Promise<BuildResult> {
  const since = performance.now()
  const built = await ports.builder.build(manifest, request, op)
  const { images, source, builders, lock } = built
  const release = freeze(manifest.system, { images, source, builders, lock })
  const { name, created } = await recordRelease(ports, release, {
    actor: request.actor.name,
    origin: 'built',
  })
  return {
    release: name,
    created,
    dirty: source.dirty,
    images: built.results,
    pins: built.pins,
    durationMs: Math.round(performance.now() - since),
  }
}

/** Gives a release its name: the next version of its system, or the one it got when it was frozen before. */
export async function recordRelease(
  ports: EnginePorts,
  release: Release,
  by: { readonly actor: string; readonly origin: 'built' | 'imported' },
): Promise<{ readonly name: ReleaseName; readonly created: boolean }> {
  const { releaseDigest: digest, artifact } = await ports.releases.put(release)
  let created = false
  const state = await ports.journal.changeSystem(release.system, ({ releases }) => {
    if (releases.some((frozen) => frozen.release.digest === digest)) return []
    created = true
    const version = (releases.at(-1)?.release.version ?? 0) + 1
    const name = { name: `${release.system}@${version}`, version, digest }
    const { revision, dirty } = release.source
    return [{ type: 'release-frozen', data: { release: name, artifact, revision, dirty, ...by } }]
  })
  const frozen = state.releases.find((candidate) => candidate.release.digest === digest)
  invariant(frozen !== undefined, `${release.system} has no release ${digest} after it was recorded`)
  return { name: frozen.release, created }
}
