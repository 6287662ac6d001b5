import type { Op } from '../core/op.ts'
import type { ReleaseName } from '../core/release.ts'
import { parseReference } from '../images/reference.ts'
import { recordRelease } from './build.ts'
import { systemFor } from './diff.ts'
import type { Actor, PullRequest, ReleaseRequest } from './engine.ts'
import { findRelease } from './find-release.ts'
import type { EnginePorts } from './ports.ts'

export async function* exportRelease(
  ports: EnginePorts,
  { system, release }: ReleaseRequest,
): AsyncGenerator<Uint8Array> {
  const name = systemFor(ports, system, [release])
  yield* ports.releases.exportArchive(findRelease(name, ports.journal.system(name), release).artifact)
}

export async function importRelease(
  ports: EnginePorts,
  archive: AsyncIterable<Uint8Array>,
  actor: Actor,
  op: Op,
): Promise<ReleaseName> {
  const { release } = await ports.releases.importArchive(archive, op)
  return (await recordRelease(ports, release, { actor: actor.name, origin: 'imported' })).name
}

export async function pullRelease(
  ports: EnginePorts,
  { reference }: PullRequest,
  actor: Actor,
  op: Op,
): Promise<ReleaseName> {
  const { release } = await ports.registries.pullRelease(parseReference(reference), op)
  return (await recordRelease(ports, release, { actor: actor.name, origin: 'imported' })).name
}
