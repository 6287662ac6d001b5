import type { GroupSpec } from '../../../core/generation.ts'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { type Instance, isAlive, isHealthy, waitFor } from '../instance/instance.ts'
import { discardInstance, stopInstance } from '../instance/stop-instance.ts'
import { checkTraffic, joinTraffic } from '../instance/traffic.ts'
import { type InstanceContext, instancesOf } from '../instance-context.ts'
import { diedError, unhealthyError } from './start-problem.ts'

/** Target.start: tops up, waits until all are healthy and have traffic, removes what they replace. */
export async function startGroup<I extends Instance>(
  context: InstanceContext<I>,
  group: GroupSpec,
  op: Op,
): Promise<void> {
  try {
    await topUp(context, group, op)
  } catch (cause) {
    throw op.signal.aborted && !isAboutGroup(cause) ? aborted(group, cause) : cause
  }
}

const isAboutGroup = (cause: unknown): boolean =>
  cause instanceof BasaltError && cause.code !== 'request.interrupted'

async function topUp<I extends Instance>(
  context: InstanceContext<I>,
  group: GroupSpec,
  op: Op,
): Promise<void> {
  op.signal.throwIfAborted()
  const present = instancesOf(context, group.id)
  if (present.length > 0) await context.driver.confirmAlive(present)
  // Whom the router has lost joins again below.
  if (present.length > 0) await checkTraffic(context, present, op)
  const replaced = present.filter((instance) => !isUseful(instance))
  const remove = () => Promise.all(replaced.map((instance) => stopInstance(context, instance, op)))
  // Durable data has one writer, also within a group.
  if (group.run.stateful) await remove()

  const failed = new AbortController()
  const startOp: Op = { ...op, signal: AbortSignal.any([op.signal, failed.signal]) }
  try {
    const missing = group.replicas - (present.length - replaced.length)
    if (missing > 0) await context.driver.launch(group, missing, op)
    const serving = instancesOf(context, group.id).filter((instance) => !replaced.includes(instance))
    await Promise.all(serving.map((instance) => serve(context, group, instance, startOp)))
  } catch (error) {
    failed.abort(error)
    await discardFresh(context, group, present, op)
    throw error
  }
  if (!group.run.stateful) await remove()
}

const isUseful = (instance: Instance): boolean =>
  isAlive(instance) && instance.health?.current().state !== 'unhealthy'

/** What a failed start has launched goes again, so that failing tries do not add up; a server that ends leaves it to the next. */
async function discardFresh<I extends Instance>(
  context: InstanceContext<I>,
  group: GroupSpec,
  present: readonly I[],
  op: Op,
): Promise<void> {
  if (op.signal.aborted) return
  const fresh = instancesOf(context, group.id).filter((instance) => !present.includes(instance))
  await Promise.all(fresh.map((instance) => discardInstance(context, instance)))
}

/** Resolves when the instance is healthy and has traffic. */
async function serve<I extends Instance>(
  context: InstanceContext<I>,
  group: GroupSpec,
  instance: I,
  op: Op,
): Promise<void> {
  const begunAt = context.now()
  const look = () => {
    if (!isAlive(instance)) return 'died'
    const state = instance.health?.current().state ?? 'starting'
    return state === 'starting' ? undefined : state
  }
  const outOfTime = deadlineSignal(op)
  const verdict = await waitFor(instance, AbortSignal.any([op.signal, outOfTime]), look).catch(
    (cause: unknown) => {
      if (outOfTime.aborted) return 'unhealthy' as const
      throw cause
    },
  )
  if (verdict === 'died') throw await diedError(context.driver, group, instance)
  if (verdict === 'unhealthy') {
    const unhealthy = group.replicas - instancesOf(context, group.id).filter(isHealthy).length
    throw await unhealthyError(
      context.driver,
      group,
      instance,
      unhealthy,
      Math.max(0, context.now() - begunAt),
    )
  }
  await joinTraffic(context, instance, op)
}

const deadlineSignal = (op: Op): AbortSignal =>
  op.deadline === undefined
    ? new AbortController().signal
    : AbortSignal.timeout(Math.max(0, Math.min(op.deadline - Date.now(), 2 ** 31 - 1)))

const aborted = (group: GroupSpec, cause: unknown): BasaltError =>
  new BasaltError('deployment.aborted', { message: `the start of ${group.service} was aborted`, cause })
