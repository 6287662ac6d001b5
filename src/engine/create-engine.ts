import type { DeploymentPhase } from '../core/events.ts'
import type { DeploymentId, EnvironmentId } from '../core/ids.ts'
import { BasaltError } from '../errors.ts'
import { build } from './build.ts'
import { deploy, planDeploy } from './deploy.ts'
import { diff } from './diff.ts'
import { down } from './down.ts'
import type { Engine } from './engine.ts'
import { follow, unknownDeployment } from './follow.ts'
import { deploymentResult, history, releases } from './history.ts'
import { logs } from './logs.ts'
import { pullImage, pushImage } from './move-images.ts'
import { exportRelease, importRelease, pullRelease } from './move-releases.ts'
import type { EnginePorts } from './ports.ts'
import { Reconciler } from './reconcile.ts'
import { planRollback, rollback } from './rollback.ts'
import { createStage } from './stage.ts'
import { status } from './status.ts'

export interface RunningEngine extends Engine {
  /** Leaves everything that runs as it is. */
  close(): Promise<void>
}

const isSettled = (phase: DeploymentPhase): boolean => phase === 'draining' || phase === 'retiring'

const tooLate = (deployment: DeploymentId, environment: EnvironmentId): BasaltError =>
  new BasaltError('deployment.settled', {
    message: `${deployment} has switched ${environment} for good and only takes away what is no longer needed`,
    remedy: 'To return to what ran before it, run `basalt rollback --wait`.',
  })

/** Wires the verbs together, goes on with what a server before this one left unfinished, and keeps watch. */
export function createEngine(ports: EnginePorts): RunningEngine {
  const { journal } = ports
  const stage = createStage(ports)
  stage.recover()
  const reconciler = new Reconciler(ports, stage)

  return {
    build: (request, op) => build(ports, request, op),
    plan: (request, op) => planDeploy(ports, request, op),
    deploy: (request, op) => deploy(ports, stage, request, op),
    planRollback: (request, op) => planRollback(ports, request, op),
    rollback: (request, op) => rollback(ports, stage, request, op),
    down: (request, op) => down(ports, stage, request, op),
    follow: (deployment, op) => follow(journal, deployment, op),
    status: (request, op) => status(ports, request, op),
    history: async (request) => history(ports, request),
    releases: async (system) => releases(ports, system),
    diff: (request) => diff(ports, request),
    logs: (request, op) => logs(ports, request, op),
    verifyLedger: ({ from }, op) => ports.verifyLedger(from, op),

    async abort(deployment, actor) {
      const attempt = journal.view.attempts.get(deployment)
      if (attempt === undefined) throw unknownDeployment(deployment)
      const { environment } = attempt
      let accepted = false
      await journal.changeEnvironment(environment, (state) => {
        if (state.deployment?.deployment !== deployment) return []
        if (isSettled(state.deployment.phase)) throw tooLate(deployment, environment)
        accepted = true
        return [{ type: 'deployment-abort-requested', data: { deployment, actor: actor.name } }]
      })
      if (!accepted)
        throw new BasaltError('deployment.unknown', {
          message: `${deployment} is not running any more: it ${attempt.outcome}`,
          remedy:
            attempt.outcome === 'succeeded'
              ? 'To return to what ran before it, run `basalt rollback`.'
              : 'There is nothing to abort: what ran before it serves.',
        })
      stage.nudge(environment)
    },

    async outcome(deployment, op) {
      await stage.ended(deployment, op)
      const attempt = journal.view.attempts.get(deployment)
      if (attempt === undefined) throw unknownDeployment(deployment)
      return deploymentResult(attempt)
    },

    exportRelease: (request) => exportRelease(ports, request),
    importRelease: (archive, actor, op) => importRelease(ports, archive, actor, op),
    pullRelease: (request, actor, op) => pullRelease(ports, request, actor, op),
    importImages: (archive, op) => ports.importImages(archive, op),
    pullImage: (request, op) => pullImage(ports, request, op),
    pushImage: (request, op) => pushImage(ports, request, op),

    async close() {
      // Both are told before either is waited for: each may be in the middle of what the other waits for.
      await Promise.all([reconciler.close(), stage.close()])
    },
  }
}
