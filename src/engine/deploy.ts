import { bind } from '../core/bind.ts'
import { type EnvironmentState, servingGeneration } from '../core/environment-state.ts'
import type { Binding, Generation } from '../core/generation.ts'
import { systemOf } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { Release, ReleaseName } from '../core/release.ts'
import { BasaltError } from '../errors.ts'
import { buildManifest } from './build.ts'
import type { DeploymentStarted, DeployRequest, PlanResult } from './engine.ts'
import { bindingOf, type FoundEnvironment, findEnvironment } from './find-environment.ts'
import { findRelease } from './find-release.ts'
import { launch, type Stage } from './launch.ts'
import type { EnginePorts } from './ports.ts'
import { type Goal, propose } from './propose.ts'

export async function deploy(
  ports: EnginePorts,
  stage: Stage,
  request: DeployRequest,
  op: Op,
): Promise<DeploymentStarted> {
  const found = await findEnvironment(ports, request)
  const wanted = await releaseFor(ports, found, request, op)
  const goal = deployGoal(found, wanted, request)
  return launch(ports, stage, found.id, goal, { ...request, asked: wanted.name.name }, op)
}

export async function planDeploy(ports: EnginePorts, request: DeployRequest, op: Op): Promise<PlanResult> {
  const found = await findEnvironment(ports, request)
  const wanted = await releaseFor(ports, found, request, op)
  return (await propose(ports, found.id, deployGoal(found, wanted, request), op)).result
}

interface WantedRelease {
  readonly name: ReleaseName
  readonly release: Release
}

/** The named release, or what the folder is now: built and frozen. */
async function releaseFor(
  ports: EnginePorts,
  { id, manifest }: FoundEnvironment,
  { release, actor }: DeployRequest,
  op: Op,
): Promise<WantedRelease> {
  if (release === null && manifest === null)
    throw new BasaltError('request.invalid', {
      message: 'neither a release nor a basalt.yaml was named',
      remedy:
        'Name a release (`basalt deploy shop@7 -e staging`), or run the command in the folder of basalt.yaml.',
    })
  const name =
    release === null && manifest !== null
      ? (await buildManifest(ports, manifest, { actor, update: false, check: false, log: false }, op)).release
      : findRelease(systemOf(id), ports.journal.system(systemOf(id)), release ?? '').release
  return { name, release: await ports.releases.get(name.digest) }
}

const deployGoal = (
  found: FoundEnvironment,
  { name, release }: WantedRelease,
  { all }: DeployRequest,
): Goal => ({
  kind: 'deploy',
  warnings: release.source.dirty
    ? [`${name.name} holds uncommitted changes and is marked dirty for ever`]
    : [],
  choose(state) {
    const number = state.lastNumber + 1
    const binding = bindingFor(found, state, all ? number : null)
    const to = bind({ environment: found.id, number, name, release, binding })
    return { to, parent: state.serving ?? state.previous }
  },
})

/** What the manifest says of the environment, or else what it was bound to last. */
export function bindingFor(
  found: FoundEnvironment,
  state: EnvironmentState,
  newEpoch: number | null,
): Binding {
  const last = lastGeneration(state)
  // On another target everything is started anew, and is told from what still runs on the one before.
  const moves = found.spec !== null && last !== null && found.spec.target !== last.binding.target
  const epoch = newEpoch ?? (moves ? state.lastNumber + 1 : (last?.binding.epoch ?? 0))
  if (found.spec !== null) return bindingOf(found.spec, epoch)
  if (last !== null) return { ...last.binding, epoch }
  throw new BasaltError('environment.unknown', {
    message: `${found.id} never ran here, so this server does not know how it is bound`,
    remedy: 'Run the command in the folder of basalt.yaml.',
  })
}

const lastGeneration = (state: EnvironmentState): Generation | null =>
  servingGeneration(state) ?? state.newest?.generation ?? null
