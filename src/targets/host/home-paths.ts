import { join } from 'node:path'
import {
  type EnvironmentId,
  environmentNameOf,
  type GroupId,
  type InstanceId,
  systemOf,
} from '../../core/ids.ts'

/** Where a target keeps what outlives its instances. */
export interface HomePaths {
  readonly logs: string
  groupLogs(group: GroupId): string
  /** What an instance wrote, or has written. */
  log(id: InstanceId): string
  /** All targets of a home have the same volumes, so that data stays where it is when an environment moves. */
  volume(environment: EnvironmentId, name: string): string
}

export const groupOf = (id: InstanceId): GroupId => id.slice(0, id.lastIndexOf('.')) as GroupId
export const numberOfInstance = (id: InstanceId): number => Number(id.slice(id.lastIndexOf('.') + 1))

/** Of all targets of a home, so that no instance id is used twice. */
export const numbersFile = (home: string): string => join(home, 'next-instance-number')

export const homePaths = (home: string, logs: string): HomePaths => ({
  logs,
  groupLogs: (group) => join(logs, group),
  log: (id) => join(logs, groupOf(id), `${id}.log`),
  volume: (environment, name) =>
    join(home, 'volumes', systemOf(environment), environmentNameOf(environment), name),
})
