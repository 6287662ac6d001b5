import { access, chown, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { GroupSpec } from '../../../core/generation.ts'
import { instanceId } from '../../../core/ids.ts'
import type { MountedRoot } from '../../../images/image-roots.ts'
import type { ImageUser } from '../../../images/image-user.ts'
import { bundleOf, hostnameOf } from '../bundle/bundle.ts'
import type { LocalContext } from '../local-context.ts'
import { type NetworkNamespace, namespaceFolder } from '../network/network-namespace.ts'
import { createInstance, type Instance } from './instance.ts'
import { writeRecord } from './instance-record.ts'
import { writeNameFiles } from './name-files.ts'

/** What all new instances of a group share. */
export interface LaunchPlan {
  readonly group: GroupSpec
  readonly root: MountedRoot
  readonly user: ImageUser
  /** Need to the address at which the router answers for it. */
  readonly needs: Readonly<Record<string, string>>
}

/** Makes an instance known: its record is there before anything else of it. */
export async function registerInstance(
  context: LocalContext,
  { group, root }: LaunchPlan,
  number: number,
  namespace: NetworkNamespace,
): Promise<Instance> {
  const id = instanceId(group.id, number)
  const instance = createInstance(
    {
      format: 1,
      instance: id,
      group,
      rootPath: root.path,
      namespace: namespace.name,
      address: namespace.address,
      startedAt: context.now(),
      process: null,
      provenHealthy: false,
    },
    context.paths.instance(id),
    false,
  )
  context.instances.set(id, instance)
  await mkdir(instance.paths.folder, { recursive: true, mode: 0o700 })
  await writeRecord(instance.paths.record, instance.record)
  return instance
}

/** Starts a registered instance; resolves when its keeper runs. */
export async function launchInstance(
  context: LocalContext,
  plan: LaunchPlan,
  instance: Instance,
): Promise<void> {
  const { id, paths, record } = instance
  const { group, root, user, needs } = plan
  const volumes = await makeVolumes(context, plan)
  const config = bundleOf({
    instance: id,
    group,
    image: root.imageConfig,
    rootPath: root.path,
    user,
    networkNamespace: `${namespaceFolder}/${record.namespace}`,
    cgroupsPath: `${context.paths.cgroup}/${id}`,
    files: {
      '/etc/hosts': paths.hosts,
      '/etc/hostname': paths.hostname,
      '/etc/resolv.conf': paths.resolvConf,
    },
    volumes,
    host: context.host,
    seccompFilter: await context.seccompFilter(group.run.capabilities),
  })
  await Promise.all([
    writeFile(paths.config, JSON.stringify(config), { mode: 0o600 }),
    writeNameFiles(paths, { hostname: hostnameOf(id), address: record.address, needs }),
  ])
  instance.launched = true
  await context.keepers.start({
    runtime: context.runtime,
    paths,
    runtimeState: context.paths.runtimeState,
    instance: id,
  })
}

/** Volume name to its folder. */
async function makeVolumes(context: LocalContext, { group, user }: LaunchPlan) {
  const folders: Record<string, string> = {}
  for (const { name } of group.run.volumes) {
    const folder = context.paths.volume(group.environment, name)
    if (!(await exists(folder))) await makeVolume(folder, user)
    folders[name] = folder
  }
  return folders
}

/** Made beside and then named, so that it never is there without belonging to the user who will write in it. */
async function makeVolume(folder: string, user: ImageUser): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 })
  const unnamed = `${folder}.new`
  await rm(unnamed, { recursive: true, force: true })
  await mkdir(unnamed, { mode: 0o755 })
  await chown(unnamed, user.uid, user.gid)
  await rename(unnamed, folder)
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
