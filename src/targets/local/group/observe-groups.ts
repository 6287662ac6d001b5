import type { GroupSpec } from '../../../core/generation.ts'
import type { EnvironmentId, GroupId } from '../../../core/ids.ts'
import type { Observation, ObservedGroup } from '../../../core/observation.ts'
import type { Op } from '../../../core/op.ts'
import { confirmAlive } from '../instance/follow-instance.ts'
import { isAlive, observed } from '../instance/instance.ts'
import { checkTraffic } from '../instance/traffic.ts'
import { instancesOf, type LocalContext } from '../local-context.ts'

/** Target.observe: the kernel is asked for every instance, the running router for the routes. */
export async function observeGroups(
  context: LocalContext,
  environment: EnvironmentId,
  op: Op,
): Promise<Observation> {
  const [groups, routes] = await Promise.all([
    observedGroups(context, environment, op),
    context.router.routes(environment, op),
  ])
  return { environment, groups, routes }
}

async function observedGroups(
  context: LocalContext,
  environment: EnvironmentId,
  op: Op,
): Promise<readonly ObservedGroup[]> {
  const here = [...context.instances.values()].filter(
    ({ record }) => record.group.environment === environment,
  )
  await Promise.all(
    here.map(async (instance) => {
      await confirmAlive(context, instance)
      // After an adoption the first answer is at most one timeout away; a new start has none to wait for.
      if (isAlive(instance) && instance.record.provenHealthy) await instance.health?.firstVerdict
    }),
  )
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
