import type { GroupId } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { type Instance, isAlive, isHealthy } from '../instance/instance.ts'
import { stopInstance } from '../instance/stop-instance.ts'
import { type InstanceContext, instancesOf } from '../instance-context.ts'
import { pruneLogs } from '../log/rotate-log.ts'

/** Target.stop: all instances at the same time, but for `keep` of them. */
export async function stopGroup<I extends Instance>(
  context: InstanceContext<I>,
  group: GroupId,
  op: Op,
  keep = 0,
): Promise<void> {
  const present = instancesOf(context, group)
  const kept = new Set(
    present
      .filter(isAlive)
      .toSorted((a, b) => wellness(b) - wellness(a))
      .slice(0, keep),
  )
  const leaving = present.filter((instance) => !kept.has(instance))
  await Promise.all(leaving.map((instance) => stopInstance(context, instance, op)))
  if (kept.size === 0) {
    await context.router.forget(group, op)
    context.groups.delete(group)
  }
  const inUse = [...context.instances.keys()].map((id) => context.paths.log(id))
  await pruneLogs(context.paths.logs, new Set(inUse))
}

/** The healthy ones stay, then those that may become so; the oldest first, as the sort is stable. */
const wellness = (instance: Instance): number =>
  isHealthy(instance) ? 2 : instance.health?.current().state === 'unhealthy' ? 0 : 1
