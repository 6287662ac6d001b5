import { mkdirSync, writeFileSync } from 'node:fs'
import type { GroupSpec } from '../../../core/generation.ts'
import { instanceId } from '../../../core/ids.ts'
import type { MountedRoot } from '../../../images/image-roots.ts'
import type { ImageUser } from '../../../images/image-user.ts'
import { hostnameOf, writeNameFiles } from '../../host/instance/name-files.ts'
import { bundleOf } from '../bundle/bundle.ts'
import type { LocalContext } from '../local-context.ts'
import { type NetworkNamespace, namespaceFolder } from '../network/network-namespace.ts'
import { writeRecord } from './instance-record.ts'
import { createLocalInstance, type LocalInstance } from './local-instance.ts'

/** What all new instances of a group share. */
export interface LaunchPlan {
  readonly group: GroupSpec
  readonly root: MountedRoot
  readonly user: ImageUser
  /** Volume name to its folder. */
  readonly volumes: Readonly<Record<string, string>>
  /** Need to the address at which the router answers for it. */
  readonly needs: Readonly<Record<string, string>>
}

/** Makes an instance known: its record is there before anything else of it. */
export function registerInstance(
  context: LocalContext,
  { group, root }: LaunchPlan,
  number: number,
  namespace: NetworkNamespace,
): LocalInstance {
  const id = instanceId(group.id, number)
  const instance = createLocalInstance(
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
  mkdirSync(instance.paths.folder, { recursive: true, mode: 0o700 })
  writeRecord(instance.paths.record, instance.record)
  return instance
}

/** Starts a registered instance; resolves when its keeper runs. */
export async function launchInstance(
  context: LocalContext,
  plan: LaunchPlan,
  instance: LocalInstance,
): Promise<void> {
  const { id, paths, record } = instance
  const { group, root, user, needs, volumes } = plan
  const networkNamespace = `${namespaceFolder}/${record.namespace}`
  const config = bundleOf({
    instance: id,
    group,
    image: root.imageConfig,
    rootPath: root.path,
    user,
    networkNamespace,
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
  writeFileSync(paths.config, JSON.stringify(config), { mode: 0o600 })
  writeNameFiles(paths, { hostname: hostnameOf(id), address: record.address, needs })
  instance.launched = true
  await context.keepers.start({
    runtime: context.runtime,
    paths,
    runtimeState: context.paths.runtimeState,
    instance: id,
    mounts: [root.path, networkNamespace],
  })
}
