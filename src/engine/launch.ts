import type { DeploymentId, EnvironmentId } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'
import type { DeploymentStarted } from './engine.ts'
import { errorFacts } from './error-facts.ts'
import type { EnginePorts } from './ports.ts'
import { type Goal, type Proposal, propose } from './propose.ts'
import { requestsNow } from './request-count.ts'

export interface LaunchRequest {
  readonly actor: { readonly name: string }
  readonly reason: string | null
  readonly wait: boolean
  readonly timeoutMs: number | null
  /** What was asked for, in the asker's words: for the record of a refusal. */
  readonly asked: string | null
}

/** Runs deployments in the background, and tells when one ended. */
export interface Stage {
  begin(environment: EnvironmentId): void
  ended(deployment: DeploymentId, op: Op): Promise<void>
}

/**
 * Records a deployment and lets it go. Refused while another one of the environment runs, unless the request
 * waits; a refusal is recorded too.
 */
export async function launch(
  ports: EnginePorts,
  stage: Stage,
  environment: EnvironmentId,
  goal: Goal,
  request: LaunchRequest,
  op: Op,
): Promise<DeploymentStarted> {
  const deployment = ports.newDeploymentId()
  for (;;) {
    const running = ports.journal.environment(environment).deployment
    try {
      if (running !== null && !request.wait) throw inProgress(environment, running)
      if (running !== null) await stage.ended(running.deployment, op)
      const proposal = await propose(ports, environment, goal, op)
      if (proposal.result.empty) return { deployment: null, plan: proposal.result }
      if (!(await record(ports, deployment, proposal, request, op))) continue
      stage.begin(environment)
      return { deployment, plan: proposal.result }
    } catch (error) {
      await recordRefusal(ports, environment, deployment, goal, request, error)
      throw error
    }
  }
}

/** False when the ledger moved on since the proposal was made. */
async function record(
  { journal }: EnginePorts,
  deployment: DeploymentId,
  { environment, version, kind, from, to, parent, target }: Proposal,
  { actor, reason, timeoutMs }: LaunchRequest,
  op: Op,
): Promise<boolean> {
  const requests = await requestsNow(target, environment, op)
  let recorded = false
  await journal.changeEnvironment(environment, (state) => {
    if (state.version !== version) return []
    recorded = true
    const asked = { deployment, kind, environment, actor: actor.name, reason, timeoutMs }
    return [
      { type: 'deployment-started', data: { ...asked, from: from?.number ?? null, to, parent, requests } },
    ]
  })
  return recorded
}

async function recordRefusal(
  { journal }: EnginePorts,
  environment: EnvironmentId,
  deployment: DeploymentId,
  { kind }: Goal,
  { actor, reason, asked }: LaunchRequest,
  error: unknown,
): Promise<void> {
  if (!(error instanceof BasaltError) || error.code === 'request.interrupted') return
  const refusal = { deployment, kind, actor: actor.name, reason, to: asked, error: errorFacts(error) }
  await journal.changeEnvironment(environment, () => [{ type: 'deployment-refused', data: refusal }])
}

const inProgress = (
  environment: EnvironmentId,
  running: {
    readonly deployment: DeploymentId
    readonly actor: string
    readonly kind: string
    readonly phase: string
  },
): BasaltError =>
  new BasaltError('deployment.in-progress', {
    message: `${running.kind} ${running.deployment} of ${environment}, begun by ${running.actor}, is still running (${running.phase})`,
    remedy: `Wait for it with --wait, watch it with \`basalt follow ${running.deployment}\`, or end it with \`basalt abort ${running.deployment}\`.`,
    details: { deployment: running.deployment, environment },
  })
