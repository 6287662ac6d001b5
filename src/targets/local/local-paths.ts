import { join } from 'node:path'
import {
  type EnvironmentId,
  environmentNameOf,
  type GroupId,
  type InstanceId,
  systemOf,
} from '../../core/ids.ts'

/** Where the local target keeps what it knows: below the Basalt home, and below /run what a reboot ends anyway. */
export interface LocalPaths {
  /** What does not outlive the machine: `instances`, `events` and `runtimeState` are in it. */
  readonly run: string
  readonly instances: string
  readonly events: string
  readonly logs: string
  readonly volumes: string
  readonly numbers: string
  /** The OCI runtime's own state. */
  readonly runtimeState: string
  /** Below the mount point of each cgroup hierarchy. */
  readonly cgroup: string
  instance(id: InstanceId): InstancePaths
  groupLogs(group: GroupId): string
  volume(environment: EnvironmentId, name: string): string
}

export interface InstancePaths {
  readonly folder: string
  readonly record: string
  readonly config: string
  /** The keeper's script. */
  readonly keeper: string
  readonly hosts: string
  readonly hostname: string
  readonly resolvConf: string
  /** What the runtime itself had to say. */
  readonly runtimeLog: string
  /** Written by the runtime: the process id of the instance's first process. */
  readonly pidFile: string
  /** Written by the keeper: the exit code. */
  readonly exitFile: string
  readonly log: string
}

export const groupOf = (id: InstanceId): GroupId => id.slice(0, id.lastIndexOf('.')) as GroupId
export const numberOfInstance = (id: InstanceId): number => Number(id.slice(id.lastIndexOf('.') + 1))

/** Is there from the first start of an instance in this home on. */
export const numbersFile = (home: string): string => join(home, 'next-instance-number')

/** @param key of the home's network */
export const runFolderOf = (key: string): string => `/run/basalt/${key}`

export function localPaths(home: string, key: string): LocalPaths {
  const run = runFolderOf(key)
  const instances = join(run, 'instances')
  const events = join(run, 'events')
  const logs = join(home, 'logs')
  return {
    run,
    instances,
    events,
    logs,
    volumes: join(home, 'volumes'),
    numbers: numbersFile(home),
    runtimeState: join(run, 'state'),
    cgroup: `/basalt-${key}`,
    instance(id) {
      const folder = join(instances, id)
      return {
        folder,
        record: join(folder, 'record.json'),
        config: join(folder, 'config.json'),
        keeper: join(folder, 'keeper'),
        hosts: join(folder, 'hosts'),
        hostname: join(folder, 'hostname'),
        resolvConf: join(folder, 'resolv.conf'),
        runtimeLog: join(folder, 'runtime.log'),
        pidFile: join(events, `${id}.pid`),
        exitFile: join(events, `${id}.exit`),
        log: join(logs, groupOf(id), `${id}.log`),
      }
    },
    groupLogs: (group) => join(logs, group),
    volume: (environment, name) =>
      join(home, 'volumes', systemOf(environment), environmentNameOf(environment), name),
  }
}
