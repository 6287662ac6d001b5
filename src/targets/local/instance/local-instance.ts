import { createInstance, type Instance } from '../../host/instance/instance.ts'
import type { InstancePaths } from '../local-paths.ts'
import type { InstanceRecord } from './instance-record.ts'

export interface LocalInstance extends Instance {
  readonly paths: InstancePaths
  record: InstanceRecord
  /** Its keeper was spawned, or may have been by an earlier server. */
  launched: boolean
}

export const createLocalInstance = (
  record: InstanceRecord,
  paths: InstancePaths,
  launched: boolean,
): LocalInstance => ({ ...createInstance(record), paths, launched })
