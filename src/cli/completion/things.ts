import { environmentNameOf, systemOf } from '../../core/ids.ts'
import type { HistoryResult } from '../../engine/engine.ts'
import { BasaltError } from '../../errors.ts'
import { RemoteEngine } from '../client/remote-engine.ts'
import type { Context } from '../context.ts'
import { declaredNames, scopeOf } from '../project.ts'
import type { Candidate, Wish } from './wish.ts'

/** A person waits at the prompt: what is not known by then is not offered. */
const patienceMs = 1_000

/** Names that the folder and the running server know. Starts no server, and knows nothing where something fails. */
export async function knownThings(wish: Wish, context: Context): Promise<readonly Candidate[]> {
  const engine = new RemoteEngine(context.connection, AbortSignal.timeout(patienceMs))
  try {
    // `shop/` asks for names that have their system before them.
    const inFull = wish.typed.includes('/')
    const scope = await scopeOf(context.folder, { env: wish.environment }, true)
    switch (wish.things) {
      case 'environment':
        return unique([
          ...(await declaredNames(scope.file, 'environments')).map((value) =>
            named(inFull ? `${scope.system}/${value}` : value),
          ),
          ...(await unlessAbsent(environments(engine, inFull ? null : scope.system))),
        ])
      case 'system':
        return unique([
          ...(scope.system === null ? [] : [named(scope.system)]),
          ...(await unlessAbsent(systems(engine))),
        ])
      case 'service':
        return unique([
          ...(await declaredNames(scope.file, 'services')).map((value) => named(value)),
          ...(await unlessAbsent(services(engine, scope.system))),
        ])
      case 'release':
        return await releases(engine, scope.system)
      case 'deployment':
        return await deployments(engine, scope.system, () => true)
      case 'running-deployment':
        return await deployments(engine, scope.system, ({ outcome }) => outcome === 'running')
      case 'file':
      case null:
        return []
    }
  } catch (error) {
    if (error instanceof BasaltError) return []
    throw error
  }
}

const named = (value: string, help = ''): Candidate => ({ value, help })

async function environments(engine: RemoteEngine, system: string | null): Promise<readonly Candidate[]> {
  const { environments: known } = await engine.status({ system: null, environment: null })
  return known.map(({ name, state, release }) =>
    named(
      systemOf(name) === system ? environmentNameOf(name) : name,
      release === null ? state : `${state}, ${release.name}`,
    ),
  )
}

async function services(engine: RemoteEngine, system: string | null): Promise<readonly Candidate[]> {
  const { environments: known } = await engine.status({ system, environment: null })
  return known.flatMap((environment) => environment.services.map(({ name }) => named(name)))
}

async function releases(engine: RemoteEngine, system: string | null): Promise<readonly Candidate[]> {
  const list = await engine.releases(system)
  return list.releases.map(({ release, environments: serves }) => named(release.name, serves.join(', ')))
}

async function systems(engine: RemoteEngine): Promise<readonly Candidate[]> {
  const { releases: known } = await engine.releases(null)
  return known.map(({ release }) => named(release.name.slice(0, release.name.indexOf('@'))))
}

async function deployments(
  engine: RemoteEngine,
  system: string | null,
  fits: (attempt: HistoryResult['attempts'][number]) => boolean,
): Promise<readonly Candidate[]> {
  const { attempts } = await engine.history({ system, environment: null, limit: 20 })
  return attempts
    .filter(fits)
    .map(({ deployment, kind, to, outcome }) => named(deployment, `${kind} ${to ?? ''} ${outcome}`))
}

/** What the manifest declares is offered also when no server runs. */
const unlessAbsent = (asked: Promise<readonly Candidate[]>): Promise<readonly Candidate[]> =>
  asked.catch((error: unknown) => {
    if (error instanceof BasaltError) return []
    throw error
  })

/** The last of two of the same value wins: the server says more of it. */
const unique = (candidates: readonly Candidate[]): readonly Candidate[] => [
  ...new Map(candidates.map((candidate) => [candidate.value, candidate])).values(),
]
