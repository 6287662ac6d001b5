import { setTimeout as sleep } from 'node:timers/promises'
import type { GroupSpec } from '../../../core/generation.ts'
import type { GroupId } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { resolveUser } from '../../../images/image-user.ts'
import type { MountPoints } from '../../../images/mount-points.ts'
import type { LaunchPlan } from '../instance/launch-instance.ts'
import { type LocalContext, routedGroup } from '../local-context.ts'
import { makeVolumes } from './make-volumes.ts'

/** Needs that start at the same time are spoken of in the same moment. */
const needPatienceMs = 2000
const needPollMs = 5

/** Finds out what all new instances of a group share: root, user, volumes, and the addresses of what it needs. */
export async function launchPlan(context: LocalContext, group: GroupSpec, op: Op): Promise<LaunchPlan> {
  const { run } = group
  const [root, needs] = await Promise.all([
    context.roots.root(group.image, mountPointsOf(group), op),
    needAddresses(context, group),
  ])
  const user = await resolveUser(root.path, run.user ?? root.imageConfig.user)
  return { group, root, user, needs, volumes: await makeVolumes(context.paths, group, user) }
}

/** What the root must have for a group's tmpfs and volumes to be mounted on. */
export const mountPointsOf = ({ run }: GroupSpec): MountPoints => ({
  directories: [...run.writable, ...run.volumes].map(({ path }) => path),
  files: [],
})

async function needAddresses(context: LocalContext, group: GroupSpec): Promise<Record<string, string>> {
  const needs = Object.entries(group.needs)
  const addresses = await Promise.all(
    needs.map(async ([name, id]) => {
      const needed = await knownGroup(context, group, name, id)
      return [name, await context.router.address(routedGroup(needed))] as const
    }),
  )
  return Object.fromEntries(addresses)
}

async function knownGroup(
  context: LocalContext,
  group: GroupSpec,
  name: string,
  id: GroupId,
): Promise<GroupSpec> {
  for (let waitedMs = 0; waitedMs < needPatienceMs; waitedMs += needPollMs) {
    const found = context.groups.get(id)
    if (found !== undefined) return found
    await sleep(needPollMs)
  }
  throw new BasaltError('group.unhealthy', {
    message: `${group.service} needs ${name} (${id}), which neither runs nor is being started`,
    remedy: `Start ${name} first.`,
    details: { group: group.id, need: id },
  })
}
