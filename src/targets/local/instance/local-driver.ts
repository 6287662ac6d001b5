import type { GroupSpec } from '../../../core/generation.ts'
import type { Op } from '../../../core/op.ts'
import { registerWriters } from '../../host/group/volume-writers.ts'
import type { InstanceDriver } from '../../host/instance-context.ts'
import { lastLines } from '../../host/log/log-tail.ts'
import { launchPlan } from '../group/launch-plan.ts'
import type { LocalContext } from '../local-context.ts'
import { endInstance } from './end-instance.ts'
import { confirmAlive, noteHealthy } from './follow-instance.ts'
import { launchInstance, registerInstance } from './launch-instance.ts'
import type { LocalInstance } from './local-instance.ts'
import { neverRan } from './never-ran.ts'
import { removeInstance } from './remove-instance.ts'
import { runInside } from './run-inside.ts'

/** @param context asked for only once a verb needs it */
export const createLocalDriver = (context: () => LocalContext): InstanceDriver<LocalInstance> => ({
  async confirmAlive(instances) {
    await Promise.all(instances.map((instance) => confirmAlive(context(), instance)))
  },
  launch: (group, count, op) => launch(context(), group, count, op),
  end: (instance, signal, graceMs) => endInstance(context(), instance, signal, graceMs),
  remove: (instance) => removeInstance(context(), instance),
  runInside: (instance, command, timeoutMs) => runInside(context(), instance, command, timeoutMs),
  noteHealthy: (instance) => noteHealthy(context(), instance),
  lastLines: ({ paths }, count) => lastLines(paths.log, count),
  neverRan,
})

async function launch(context: LocalContext, group: GroupSpec, count: number, op: Op): Promise<void> {
  const plan = await launchPlan(context, group, op)
  const instances = await registerWriters(context, group, async () => {
    const [numbers, namespaces] = await Promise.all([
      context.numbers.take(count),
      context.network.pool.take(count, op),
    ])
    return namespaces.map((namespace, index) =>
      registerInstance(context, plan, numbers[index] ?? 0, namespace),
    )
  })
  // All of them come to rest before a failure is told: `stop` may follow it at once.
  const launches = await Promise.allSettled(
    instances.map((instance) => launchInstance(context, plan, instance)),
  )
  for (const launch of launches) if (launch.status === 'rejected') throw launch.reason
}
