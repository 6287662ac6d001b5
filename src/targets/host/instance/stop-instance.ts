import type { Op } from '../../../core/op.ts'
import type { InstanceContext } from '../instance-context.ts'
import { type Instance, isAlive } from './instance.ts'
import { leaveTraffic } from './traffic.ts'

/** How long a killed instance may take to end. */
export const killedMs = 5000

/** Takes an instance out of traffic, lets requests in flight finish, ends and removes it. */
export async function stopInstance<I extends Instance>(
  context: InstanceContext<I>,
  instance: I,
  op: Op,
): Promise<void> {
  const { stop } = instance.record.group.run
  instance.stopping = true
  const leftMs = op.deadline === undefined ? stop.graceMs : op.deadline - Date.now()
  const drainMs = isAlive(instance) ? Math.max(0, Math.min(stop.graceMs, leftMs)) : 0
  await leaveTraffic(context, instance, drainMs, op)
  await endAndRemove(context, instance, stop.signal, stop.graceMs)
}

/** Ends an instance at once and removes it. */
export async function discardInstance<I extends Instance>(
  context: InstanceContext<I>,
  instance: I,
): Promise<void> {
  instance.stopping = true
  await leaveTraffic(context, instance, 0, { signal: new AbortController().signal })
  await endAndRemove(context, instance, 'SIGKILL', killedMs)
}

async function endAndRemove<I extends Instance>(
  { driver, instances }: InstanceContext<I>,
  instance: I,
  signal: string,
  graceMs: number,
): Promise<void> {
  await driver.end(instance, signal, graceMs)
  instance.health?.stop()
  await driver.remove(instance)
  instances.delete(instance.id)
}
