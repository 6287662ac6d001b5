import type { DeploymentId, EnvironmentId } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'
import { backoffMs } from '../util/backoff.ts'
import { createKeyedMutex } from '../util/mutex.ts'
import { createWake } from '../util/wake.ts'
import { Conductor } from './conductor.ts'
import { environmentTarget } from './environment-target.ts'
import { errorFacts } from './error-facts.ts'
import { unknownDeployment } from './follow.ts'
import type { Stage } from './launch.ts'
import type { EnginePorts } from './ports.ts'

export interface RunningStage extends Stage {
  /** Goes on with every deployment that the ledger shows as not ended: after a start of the server. */
  recover(): void
  nudge(environment: EnvironmentId): void
  /**
   * Runs a task while no deployment of the environment runs; one that comes waits. Skips it where one does run,
   * without waiting for its end.
   */
  whileQuiet(environment: EnvironmentId, task: () => Promise<void>): Promise<void>
  /** Stops conducting; whatever is under way is gone on with by the next server. */
  close(): Promise<void>
}

const longestRetryMs = 60_000

/** One conductor for each environment that has a running deployment. */
export function createStage(ports: EnginePorts): RunningStage {
  const { journal } = ports
  const conductors = new Map<EnvironmentId, Conductor>()
  const running = new Map<EnvironmentId, Promise<void>>()
  const mutexOf = createKeyedMutex<EnvironmentId>()
  const closing = new AbortController()
  const unwatch = [...ports.targets.values()].map((target) =>
    target.onExit?.(() => {
      for (const conductor of conductors.values()) conductor.nudge()
    }),
  )

  const isDeploying = (environment: EnvironmentId): boolean =>
    journal.environment(environment).deployment !== null

  function begin(environment: EnvironmentId): void {
    running.set(
      environment,
      mutexOf(environment).run(() => untilEnded(ports, conductors, environment, closing.signal)),
    )
  }

  return {
    begin,
    async ended(deployment, op) {
      if (!journal.view.attempts.has(deployment)) throw unknownDeployment(deployment)
      await waitForEnd(ports, deployment, op)
    },
    recover() {
      for (const environment of journal.view.environments.keys()) begin(environment)
    },
    nudge: (environment) => conductors.get(environment)?.nudge(),
    async whileQuiet(environment, task) {
      if (isDeploying(environment)) return
      await mutexOf(environment).run(async () => {
        if (!isDeploying(environment)) await task()
      })
    },
    async close() {
      closing.abort()
      for (const stop of unwatch) stop?.()
      await Promise.allSettled(running.values())
    },
  }
}

/** Whatever stops a conductor, a deployment is not over before the ledger says so. */
async function untilEnded(
  ports: EnginePorts,
  conductors: Map<EnvironmentId, Conductor>,
  environment: EnvironmentId,
  signal: AbortSignal,
): Promise<void> {
  const { journal, now, log } = ports
  for (let failures = 0; !signal.aborted; ) {
    const { deployment } = journal.environment(environment)
    if (deployment === null) return
    try {
      const { to } = deployment
      const target = environmentTarget(ports, environment, to.binding.target, to, 'refuse')
      const conductor = new Conductor({ journal, target, environment, now, log, signal })
      conductors.set(environment, conductor)
      await conductor.run()
    } catch (error) {
      log(`${environment}: its deployment stopped, going on`, { error: errorFacts(error) })
      await createWake().sleep(backoffMs(++failures, longestRetryMs), signal)
    } finally {
      conductors.delete(environment)
    }
  }
}

function waitForEnd({ journal }: EnginePorts, deployment: DeploymentId, op: Op): Promise<void> {
  const hasEnded = (): boolean => journal.view.attempts.get(deployment)?.outcome !== 'running'
  return new Promise((resolve, reject) => {
    if (hasEnded()) return resolve()
    const settle = (act: () => void) => () => {
      unsubscribe()
      op.signal.removeEventListener('abort', interrupted)
      act()
    }
    const interrupted = settle(() =>
      reject(new BasaltError('request.interrupted', { message: `no longer waiting for ${deployment}` })),
    )
    const finished = settle(resolve)
    const unsubscribe = journal.subscribe(() => (hasEnded() ? finished() : undefined))
    op.signal.addEventListener('abort', interrupted)
    if (op.signal.aborted) interrupted()
  })
}
