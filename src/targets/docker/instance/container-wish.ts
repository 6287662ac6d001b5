import type { ContainerCreateOptions, HostConfig } from 'dockerode'
import type { InstanceId } from '../../../core/ids.ts'
import type { Limits, WritablePath } from '../../../core/system.ts'
import type { ImageUser } from '../../../images/image-user.ts'
import type { InstanceFacts } from '../../host/instance/instance.ts'
import { hostnameOf, type NameFiles } from '../../host/instance/name-files.ts'

export interface ContainerInput {
  readonly facts: InstanceFacts
  /** The home's network, in the Engine. */
  readonly network: string
  /** The Engine's id of the image: the digest of its config. */
  readonly image: string
  readonly labels: Readonly<Record<string, string>>
  readonly user: Pick<ImageUser, 'uid' | 'gid'>
  readonly files: NameFiles
  /** Volume name to folder of the host. */
  readonly volumes: Readonly<Record<string, string>>
}

const shmSizeBytes = 64 * 1024 * 1024
const cpuNanos = 1e9
/** As on `local`: the kernel prefers to kill instances to the server, the router and the rest of the host. */
const oomScoreAdj = 300

export const containerName = (network: string, instance: InstanceId): string => `${network}.${instance}`

/** What is asked of the Engine for one instance: nothing is allowed that the service did not declare. */
export function containerWish(input: ContainerInput): ContainerCreateOptions & { readonly name: string } {
  const { facts, network, image, labels } = input
  const { run } = facts.group
  return {
    name: containerName(network, facts.instance),
    Image: image,
    Hostname: hostnameOf(facts.instance),
    Env: Object.entries(run.env).map(([name, value]) => `${name}=${value}`),
    ...(run.command === null ? {} : { Entrypoint: [...run.command], Cmd: [] }),
    ...(run.user === null ? {} : { User: run.user }),
    Labels: labels,
    StopSignal: run.stop.signal,
    StopTimeout: Math.ceil(run.stop.graceMs / 1000),
    // Health is asked by Basalt, as the service declares it; what an image says of it would be asked twice.
    Healthcheck: { Test: ['NONE'] },
    NetworkingConfig: { EndpointsConfig: { [network]: { IPAMConfig: { IPv4Address: facts.address } } } },
    HostConfig: hostConfig(input),
  }
}

/** What the typings lack (Engine API 1.41). */
interface PrivateCgroups {
  readonly CgroupnsMode: 'private'
}

function hostConfig({ facts, network, user, files, volumes }: ContainerInput): HostConfig & PrivateCgroups {
  const { run } = facts.group
  return {
    NetworkMode: network,
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    CapAdd: [...run.capabilities],
    SecurityOpt: ['no-new-privileges'],
    CgroupnsMode: 'private',
    Sysctls: networkSysctls,
    OomScoreAdj: oomScoreAdj,
    ShmSize: shmSizeBytes,
    ...limitsOf(run.limits),
    Tmpfs: Object.fromEntries(run.writable.map((path) => [path.path, tmpfsOptions(path, user)])),
    Binds: [
      `${files.hosts}:/etc/hosts:ro`,
      `${files.hostname}:/etc/hostname:ro`,
      `${files.resolvConf}:/etc/resolv.conf:ro`,
      ...run.volumes.map(({ name, path }) => `${volumes[name] ?? ''}:${path}:rw`),
    ],
    // A dead instance is replaced by a new one, which Basalt does.
    RestartPolicy: { Name: 'no' },
    LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '2' } },
  }
}

/** Without capabilities a service may still bind port 80 and send pings, in its own namespace. */
const networkSysctls = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
}

/** Memory and swap together have the limit of the memory: there is no swap. */
const limitsOf = ({ memoryBytes, cpus, pids }: Limits): HostConfig => ({
  PidsLimit: pids,
  ...(memoryBytes === null ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
  ...(cpus === null ? {} : { NanoCpus: Math.round(cpus * cpuNanos) }),
})

function tmpfsOptions({ path, sizeBytes }: WritablePath, { uid, gid }: ContainerInput['user']): string {
  const shared = path === '/tmp' || path === '/var/tmp' || path === '/dev/shm'
  const owner = shared ? 'mode=1777' : `mode=0755,uid=${uid},gid=${gid}`
  return `rw,nosuid,nodev,noexec,size=${sizeBytes},${owner}`
}
