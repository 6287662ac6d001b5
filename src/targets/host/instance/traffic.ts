import type { InstanceId } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { type InstanceContext, instancesOf, routedGroup } from '../instance-context.ts'
import { type Instance, isAlive, isHealthy } from './instance.ts'

/** Lets an instance have traffic, unless it is being stopped or has ended. Idempotent. */
export const joinTraffic = <I extends Instance>(
  context: InstanceContext<I>,
  instance: I,
  op: Op,
): Promise<void> =>
  instance.trafficMutex.run(async () => {
    const { id, record, stopping, hasTraffic } = instance
    if (hasTraffic || stopping || !isAlive(instance)) return
    await context.router.join(routedGroup(record.group), id, record.address, op)
    instance.hasTraffic = true
  })

/** No new requests for it; resolves when none is in flight, or after `drainMs`. Idempotent. */
export const leaveTraffic = <I extends Instance>(
  context: InstanceContext<I>,
  instance: I,
  drainMs: number,
  op: Op,
): Promise<void> =>
  instance.trafficMutex.run(async () => {
    instance.hasTraffic = false
    await context.router.leave(instance.record.group.id, instance.id, drainMs, op)
  })

/**
 * After an instance's health changed: one that is well gets traffic, whoever waits for it; one that is not gets no
 * more of it, as long as another of its group is well. When none is, all stay where they are: some answers are better
 * than none.
 */
export async function followTraffic<I extends Instance>(
  context: InstanceContext<I>,
  instance: I,
  op: Op,
): Promise<void> {
  if (isHealthy(instance)) await joinTraffic(context, instance, op)
  const group = instancesOf(context, instance.record.group.id)
  if (!group.some((other) => isHealthy(other) && other.hasTraffic)) return
  const unwell = group.filter((other) => other.hasTraffic && isUnwell(other))
  const { graceMs } = instance.record.group.run.stop
  await Promise.all(unwell.map((other) => leaveTraffic(context, other, graceMs, op)))
}

const isUnwell = (instance: Instance): boolean =>
  isAlive(instance) && instance.health?.current().state === 'unhealthy'

/** Asks the running router who has traffic. Instances without a port need none and count as having it. */
export async function checkTraffic<I extends Instance>(
  { router }: Pick<InstanceContext<I>, 'router'>,
  instances: readonly Instance[],
  op: Op,
): Promise<ReadonlySet<InstanceId>> {
  const routed = new Set([...(await router.members(op)).values()].flat())
  for (const instance of instances) if (!routed.has(instance.id)) instance.hasTraffic = false
  const served = instances.filter(({ id, record }) => record.group.run.ports.length === 0 || routed.has(id))
  return new Set(served.map(({ id }) => id))
}
