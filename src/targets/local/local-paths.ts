import { join } from 'node:path'
import type { InstanceId } from '../../core/ids.ts'
import { type HomePaths, homePaths } from '../host/home-paths.ts'

/** Where the local target keeps what it knows: below the Basalt home, and below /run what a reboot ends anyway. */
export interface LocalPaths extends HomePaths {
  /** What does not outlive the machine: `instances`, `events` and `runtimeState` are in it. */
  readonly run: string
  readonly instances: string
  readonly events: string
  /** The OCI runtime's own state. */
  readonly runtimeState: string
  /** Below the mount point of each cgroup hierarchy. */
  readonly cgroup: string
  instance(id: InstanceId): InstancePaths
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

/** Is there from the first opening of a local target in this home on. */
export const logsFolder = (home: string): string => join(home, 'logs')

/** @param key of the home's network */
export const runFolderOf = (key: string): string => `/run/basalt/${key}`

export function localPaths(home: string, key: string): LocalPaths {
  const shared = homePaths(home, logsFolder(home))
  const run = runFolderOf(key)
  const instances = join(run, 'instances')
  const events = join(run, 'events')
  return {
    ...shared,
    run,
    instances,
    events,
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
        log: shared.log(id),
      }
    },
  }
}
