import type { GroupSpec } from '../../../core/generation.ts'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { confirmAlive, joinRouter } from '../instance/follow-instance.ts'
import { type Instance, isAlive, isHealthy, waitFor } from '../instance/instance.ts'
import { launchInstance, registerInstance } from '../instance/launch-instance.ts'
import { discardInstance } from '../instance/stop-instance.ts'
import { instancesOf, type LocalContext } from '../local-context.ts'
import { launchPlan } from './launch-plan.ts'
import { diedError, unhealthyError } from './start-problem.ts'
import { refuseSecondWriter } from './volume-writers.ts'

/** Target.start: tops up, waits until all are healthy and have traffic, then removes what they replace. */
export async function startGroup(context: LocalContext, group: GroupSpec, op: Op): Promise<void> {
  try {
    await topUp(context, group, op)
  } catch (cause) {
    throw op.signal.aborted && !isAboutGroup(cause) ? aborted(group, cause) : cause
  }
}

const isAboutGroup = (cause: unknown): boolean =>
  cause instanceof BasaltError && cause.code !== 'request.interrupted'

async function topUp(context: LocalContext, group: GroupSpec, op: Op): Promise<void> {
  op.signal.throwIfAborted()
  const present = instancesOf(context, group.id)
  await Promise.all(present.map((instance) => confirmAlive(context, instance)))
  const useful = present.filter(
    (instance) => isAlive(instance) && instance.health?.current().state !== 'unhealthy',
  )
  const missing = group.replicas - useful.length
  const fresh = missing > 0 ? await launch(context, group, missing, op) : []

  const failed = new AbortController()
  const startOp: Op = { ...op, signal: AbortSignal.any([op.signal, failed.signal]) }
  try {
    await Promise.all([...useful, ...fresh].map((instance) => serve(context, group, instance, startOp)))
  } catch (error) {
    failed.abort(error)
    throw error
  }
  const replaced = present.filter((instance) => !useful.includes(instance))
  await Promise.all(replaced.map((instance) => retire(context, group, instance, op)))
}

async function launch(
  context: LocalContext,
  group: GroupSpec,
  count: number,
  op: Op,
): Promise<readonly Instance[]> {
  const plan = await launchPlan(context, group, op)
  const register = async () => {
    refuseSecondWriter(context, group)
    const [numbers, namespaces] = await Promise.all([
      context.numbers.take(count),
      context.network.pool.take(count, op),
    ])
    return Promise.all(
      namespaces.map((namespace, index) => registerInstance(context, plan, numbers[index] ?? 0, namespace)),
    )
  }
  const instances = await (group.run.volumes.length === 0 ? register() : context.volumes.run(register))
  // All of them come to rest before a failure is told: `stop` may follow it at once.
  const launches = await Promise.allSettled(
    instances.map((instance) => launchInstance(context, plan, instance)),
  )
  for (const launch of launches) if (launch.status === 'rejected') throw launch.reason
  return instances
}

/** Resolves when the instance is healthy and has traffic. */
async function serve(context: LocalContext, group: GroupSpec, instance: Instance, op: Op): Promise<void> {
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
  if (verdict === 'died') throw await diedError(group, instance)
  if (verdict === 'unhealthy') {
    const unhealthy = group.replicas - instancesOf(context, group.id).filter(isHealthy).length
    throw await unhealthyError(group, instance, unhealthy, Math.max(0, context.now() - begunAt))
  }
  await joinRouter(context, instance, op)
}

async function retire(context: LocalContext, group: GroupSpec, instance: Instance, op: Op): Promise<void> {
  await context.router.leave(group.id, instance.id, 0, op)
  await discardInstance(context, instance)
}

const deadlineSignal = (op: Op): AbortSignal =>
  op.deadline === undefined
    ? new AbortController().signal
    : AbortSignal.timeout(Math.max(0, Math.min(op.deadline - Date.now(), 2 ** 31 - 1)))

const aborted = (group: GroupSpec, cause: unknown): BasaltError =>
  new BasaltError('deployment.aborted', { message: `the start of ${group.service} was aborted`, cause })
