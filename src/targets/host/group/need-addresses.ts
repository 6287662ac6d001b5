import { setTimeout as sleep } from 'node:timers/promises'
import type { GroupSpec } from '../../../core/generation.ts'
import type { GroupId } from '../../../core/ids.ts'
import { BasaltError } from '../../../errors.ts'
import type { Instance } from '../instance/instance.ts'
import { type InstanceContext, routedGroup } from '../instance-context.ts'

/** Needs that start at the same time are spoken of in the same moment. */
const needPatienceMs = 2000
const needPollMs = 5

/** Need to the address at which the router answers for that very group. */
export async function needAddresses<I extends Instance>(
  context: InstanceContext<I>,
  group: GroupSpec,
): Promise<Readonly<Record<string, string>>> {
  const needs = Object.entries(group.needs)
  const addresses = await Promise.all(
    needs.map(async ([name, id]) => {
      const needed = await knownGroup(context, group, name, id)
      return [name, await context.router.address(routedGroup(needed))] as const
    }),
  )
  return Object.fromEntries(addresses)
}

async function knownGroup<I extends Instance>(
  { groups }: InstanceContext<I>,
  group: GroupSpec,
  name: string,
  id: GroupId,
): Promise<GroupSpec> {
  for (let waitedMs = 0; waitedMs < needPatienceMs; waitedMs += needPollMs) {
    const found = groups.get(id)
    if (found !== undefined) return found
    await sleep(needPollMs)
  }
  throw new BasaltError('group.unhealthy', {
    message: `${group.service} needs ${name} (${id}), which neither runs nor is being started`,
    remedy: `Start ${name} first.`,
    details: { group: group.id, need: id },
  })
}
