import { differences } from '../core/difference.ts'
import { BasaltError } from '../errors.ts'
import type { DiffRequest, DiffResult } from './engine.ts'
import { findRelease } from './find-release.ts'
import type { FrozenRelease } from './ledger-view.ts'
import type { EnginePorts } from './ports.ts'

/** What differs between two releases of a system. */
export async function diff(ports: EnginePorts, request: DiffRequest): Promise<DiffResult> {
  const system = systemFor(ports, request.system, [request.from, request.to])
  const state = ports.journal.system(system)
  const [from, to] = [findRelease(system, state, request.from), findRelease(system, state, request.to)]
  const [before, after] = await Promise.all([documentOf(ports, from), documentOf(ports, to)])
  const changes = differences(before, after)
  return {
    schema: 'basalt.diff/v1',
    from: from.release,
    to: to.release,
    changes,
    documents: { from: before, to: after },
  }
}

const documentOf = (ports: EnginePorts, { release }: FrozenRelease) => ports.releases.get(release.digest)

/** The system that was named, or the one before an `@` of a release's name, or the only one there is. */
export function systemFor(
  { journal }: EnginePorts,
  system: string | null,
  releases: readonly string[],
): string {
  const named = releases
    .map((text) => /^([a-z][a-z0-9-]*)@/.exec(text)?.[1])
    .find((name) => name !== undefined)
  const known = [...journal.view.systems.keys()]
  const found = named ?? system ?? (known.length === 1 ? known[0] : undefined)
  if (found !== undefined) return found
  throw new BasaltError('release.ambiguous', {
    message:
      known.length === 0
        ? 'this server holds no release'
        : `this server holds releases of ${known.join(', ')}`,
    remedy: known.length === 0 ? 'Run `basalt build` first.' : 'Say `system@version`.',
  })
}
