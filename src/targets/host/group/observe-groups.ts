import type { GroupSpec } from '../../../core/generation.ts'
import type { EnvironmentId, GroupId } from '../../../core/ids.ts'
import type { Observation, ObservedGroup } from '../../../core/observation.ts'
import type { Op } from '../../../core/op.ts'
import { type Instance, isAlive, observed } from '../instance/instance.ts'
import { checkTraffic } from '../instance/traffic.ts'
import { type InstanceContext, instancesOf } from '../instance-context.ts'

/** Target.observe: the machine is asked for every instance, the running router for the routes. */
export async function observeGroups<I extends Instance>(
  context: InstanceContext<I>,
  environment: EnvironmentId,
  op: Op,
): Promise<Observation> {
  const [groups, routes] = await Promise.all([
    observedGroups(context, environment, op),
    context.router.routes(environment, op),
  ])
  return { environment, groups, routes }
}

async function observedGroups<I extends Instance>(
  context: InstanceContext<I>,
  environment: EnvironmentId,
  op: Op,
): Promise<readonly ObservedGroup[]> {
  const here = [...context.instances.values()].filter(
    ({ record }) => record.group.environment === environment,
  )
  await context.driver.confirmAlive(here)
  // After an adoption the first answer is at most one timeout away; a new start has none to wait for.
  const proven = here.filter((instance) => isAlive(instance) && instance.record.provenHealthy)
  await Promise.all(proven.map(async ({ health }) => health?.firstVerdict))
  const inTraffic = await checkTraffic(context, here, op)
  const specs = new Map<GroupId, GroupSpec>(here.map(({ record }) => [record.group.id, record.group]))
  return [...specs]
    .map(([id, { service, run }]) => ({
      id,
      service,
      volumes: run.volumes.map(({ name }) => name),
      instances: instancesOf(context, id).map((instance) => observed(instance, inTraffic.has(instance.id))),
    }))
    .filter(({ instances }) => instances.length > 0)
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
}
