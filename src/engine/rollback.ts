import { bind, repeatGeneration } from '../core/bind.ts'
import type { EnvironmentState } from '../core/environment-state.ts'
import { type EnvironmentId, systemOf } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { Release, ReleaseName } from '../core/release.ts'
import { findServed, type ServedGeneration, servedNumber, servedReleases } from '../core/served-generation.ts'
import { BasaltError } from '../errors.ts'
import { bindingFor } from './deploy.ts'
import type { DeploymentStarted, PlanResult, RollbackRequest } from './engine.ts'
import { findEnvironment } from './find-environment.ts'
import { findRelease } from './find-release.ts'
import { launch, type Stage } from './launch.ts'
import type { EnginePorts } from './ports.ts'
import { type Goal, propose } from './propose.ts'

/** A deployment to an earlier generation, release and binding alike: builds nothing, fetches nothing. */
export async function rollback(
  ports: EnginePorts,
  stage: Stage,
  request: RollbackRequest,
  op: Op,
): Promise<DeploymentStarted> {
  const { id, goal } = await prepareRollback(ports, request)
  return launch(ports, stage, id, goal, { ...request, asked: request.to }, op)
}

export async function planRollback(
  ports: EnginePorts,
  request: RollbackRequest,
  op: Op,
): Promise<PlanResult> {
  const { id, goal } = await prepareRollback(ports, request)
  return (await propose(ports, id, goal, op)).result
}

async function prepareRollback(
  ports: EnginePorts,
  request: RollbackRequest,
): Promise<{ readonly id: EnvironmentId; readonly goal: Goal }> {
  const { id } = await findEnvironment(ports, request)
  if (request.to === null) return { id, goal: goalBack(id) }
  const { release: name } = findRelease(systemOf(id), ports.journal.system(systemOf(id)), request.to)
  return { id, goal: goalNamed(id, name, await ports.releases.get(name.digest)) }
}

/** To the last good generation before the one that serves. */
const goalBack = (id: EnvironmentId): Goal => ({
  kind: 'rollback',
  warnings: [],
  choose(state) {
    const served = state.previous === null ? null : servedNumber(state.newest, state.previous)
    if (served === null) throw nothingBefore(id, state)
    return again(state, served)
  },
})

/** To the newest good generation of a release; bound as the environment is now where it never ran there. */
const goalNamed = (id: EnvironmentId, name: ReleaseName, release: Release): Goal => ({
  kind: 'rollback',
  warnings: [],
  choose(state) {
    const served = findServed(
      state.newest,
      ({ release: { digest }, groups }) => digest === name.digest && groups.length > 0,
    )
    if (served !== null) return again(state, served)
    const binding = bindingFor({ id, spec: null, manifest: null }, state, null)
    const to = bind({ environment: id, number: state.lastNumber + 1, name, release, binding })
    return { to, parent: state.serving }
  },
})

const again = (state: EnvironmentState, { generation, parent }: ServedGeneration) => ({
  to: repeatGeneration(generation, state.lastNumber + 1),
  parent,
})

function nothingBefore(id: EnvironmentId, state: EnvironmentState): BasaltError {
  const others = servedReleases(state.newest)
  return new BasaltError('rollback.impossible', {
    message: `${id} has no good generation before the one that serves`,
    remedy:
      others.length > 1
        ? `Name a release: \`basalt rollback ${others.at(-2)}\`. It ran here: ${others.join(', ')}.`
        : 'Nothing else has run here yet.',
  })
}
