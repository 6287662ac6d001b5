import type { DeploymentId } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'
import type { LedgerEvent } from '../store/store.ts'
import { createWake } from '../util/wake.ts'
import type { DeploymentEvent } from './engine.ts'
import type { Journal } from './journal.ts'
import { toldEvent } from './story.ts'

/** Every event of a deployment, from its first one on, live; ends after its outcome. */
export async function* follow(
  journal: Journal,
  deployment: DeploymentId,
  op: Op,
): AsyncGenerator<DeploymentEvent> {
  const attempt = journal.view.attempts.get(deployment)
  if (attempt === undefined) throw unknownDeployment(deployment)
  const live: LedgerEvent[] = []
  const wake = createWake()
  const unsubscribe = journal.subscribe((event) => {
    live.push(event)
    wake.nudge()
  })
  let seen = 0
  try {
    for await (const event of journal.story(`environment/${attempt.environment}`, attempt.position, op)) {
      seen = event.position
      const told = toldEvent(event, deployment)
      if (told !== null) yield told
      if (told?.code === 'deployment.ended') return
    }
    while (!op.signal.aborted) {
      const event = live.shift()
      if (event === undefined) {
        await wake.sleep(60_000, op.signal)
        continue
      }
      const told = event.position > seen ? toldEvent(event, deployment) : null
      if (told !== null) yield told
      if (told?.code === 'deployment.ended') return
    }
  } finally {
    unsubscribe()
  }
}

export const unknownDeployment = (deployment: string): BasaltError =>
  new BasaltError('deployment.unknown', {
    message: `there is no deployment ${deployment}`,
    remedy: 'Run `basalt history` to see all.',
  })
