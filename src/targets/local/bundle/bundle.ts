import type { GroupSpec } from '../../../core/generation.ts'
import type { InstanceId } from '../../../core/ids.ts'
import type { Limits } from '../../../core/system.ts'
import type { ImageConfig } from '../../../images/image.ts'
import type { ImageUser } from '../../../images/image-user.ts'
import { commandMissing } from '../../host/group/command-missing.ts'
import { hostnameOf } from '../../host/instance/name-files.ts'
import { mountsOf } from './mounts.ts'
import type { CapabilitySet, OciConfig, OciResources } from './oci-config.ts'
import { type Architecture, seccompFor } from './seccomp.ts'

export interface BundleInput {
  readonly instance: InstanceId
  readonly group: GroupSpec
  readonly image: Pick<ImageConfig, 'entrypoint' | 'command' | 'env' | 'workdir'>
  /** The shared root's folder on the host. */
  readonly rootPath: string
  readonly user: ImageUser
  /** The network namespace's file on the host. */
  readonly networkNamespace: string
  /** Path of the instance's cgroup below the mount point of the hierarchy. */
  readonly cgroupsPath: string
  /** Path inside to file of the host. */
  readonly files: Readonly<Record<string, string>>
  /** Volume name to folder of the host. */
  readonly volumes: Readonly<Record<string, string>>
  readonly host: HostFacts
  /** The seccomp filter already compiled, base64, for a runtime that takes it so; null: it compiles itself. */
  readonly seccompFilter: string | null
}

export interface HostFacts {
  readonly architecture: Architecture
  /** The kernel accounts swap, so that a memory limit can exclude it. */
  readonly swapAccounting: boolean
  /** The hard limit of open files that the server may hand on. */
  readonly openFiles: number
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const cpuPeriodUs = 100_000
const openFilesLimit = 65_536
/** The kernel prefers to kill instances to the server, the router and the rest of the host. */
const oomScoreAdj = 300

/** The OCI runtime configuration of one instance: nothing is allowed that the service did not declare. */
export function bundleOf(input: BundleInput): OciConfig {
  const { group, user } = input
  const { run } = group
  const hostname = hostnameOf(input.instance)
  const openFiles = Math.min(input.host.openFiles, openFilesLimit)
  return {
    ociVersion: '1.0.0',
    process: {
      terminal: false,
      user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
      args: commandOf(input),
      env: environmentOf(input, hostname),
      cwd: input.image.workdir === '' ? '/' : input.image.workdir,
      capabilities: capabilitySets(run.capabilities),
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: openFiles, soft: openFiles }],
      noNewPrivileges: true,
      oomScoreAdj,
    },
    root: { path: input.rootPath, readonly: true },
    hostname,
    mounts: mountsOf({
      user,
      writable: run.writable,
      volumes: run.volumes.map(({ name, path }) => ({ path, source: input.volumes[name] ?? '' })),
      files: input.files,
    }),
    annotations: {
      'org.basalt.environment': group.environment,
      'org.basalt.service': group.service,
      'org.basalt.group': group.id,
      'org.basalt.image': group.image,
      // The profile stays in the configuration: a crun that does not know this compiles it, as runc does.
      ...(input.seccompFilter === null ? {} : { 'run.oci.seccomp_bpf_data': input.seccompFilter }),
    },
    linux: {
      namespaces: [
        { type: 'pid' },
        { type: 'ipc' },
        { type: 'uts' },
        { type: 'mount' },
        { type: 'cgroup' },
        { type: 'network', path: input.networkNamespace },
      ],
      cgroupsPath: input.cgroupsPath,
      resources: resourcesOf(run.limits, input.host),
      sysctl: networkSysctls,
      maskedPaths,
      readonlyPaths,
      seccomp: seccompFor(input.host.architecture, run.capabilities),
    },
  }
}

function commandOf({ group, image }: BundleInput): readonly string[] {
  const args = group.run.command ?? [...image.entrypoint, ...image.command]
  if (args.length > 0) return args
  throw commandMissing(group)
}

function environmentOf({ group, image, user }: BundleInput, hostname: string): readonly string[] {
  const merged = new Map<string, string>()
  const defaults = [defaultPath, `HOSTNAME=${hostname}`, `HOME=${user.home}`]
  const declared = Object.entries(group.run.env).map(([name, value]) => `${name}=${value}`)
  for (const entry of [...defaults, ...image.env, ...declared])
    merged.set(entry.split('=', 1)[0] ?? '', entry)
  return [...merged.values()]
}

const capabilitySets = (names: readonly string[]): Readonly<Record<CapabilitySet, readonly string[]>> => ({
  bounding: names,
  effective: names,
  permitted: names,
  inheritable: names,
  ambient: names,
})

const resourcesOf = (limits: Limits, host: HostFacts): OciResources => ({
  devices: [{ allow: false, access: 'rwm' }],
  pids: { limit: limits.pids },
  ...(limits.memoryBytes === null ? {} : { memory: memoryLimit(limits.memoryBytes, host) }),
  ...(limits.cpus === null
    ? {}
    : { cpu: { quota: Math.round(limits.cpus * cpuPeriodUs), period: cpuPeriodUs } }),
})

const memoryLimit = (limit: number, host: HostFacts) =>
  host.swapAccounting ? { limit, swap: limit } : { limit }

/** As in Docker: without capabilities a service may still bind port 80 and send pings, in its own namespace. */
const networkSysctls = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
}

const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
]
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']
