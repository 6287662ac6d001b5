import type { GroupSpec } from '../../../core/generation.ts'
import type { Op } from '../../../core/op.ts'
import { resolveUser } from '../../../images/image-user.ts'
import type { MountPoints } from '../../../images/mount-points.ts'
import { makeVolumes } from '../../host/group/make-volumes.ts'
import { needAddresses } from '../../host/group/need-addresses.ts'
import type { LaunchPlan } from '../instance/launch-instance.ts'
import type { LocalContext } from '../local-context.ts'

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
