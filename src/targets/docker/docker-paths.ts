import { join } from 'node:path'
import type { InstanceId } from '../../core/ids.ts'
import { type HomePaths, homePaths } from '../host/home-paths.ts'
import type { NameFiles } from '../host/instance/name-files.ts'

/** Where the docker target keeps what is not the Engine's. */
export interface DockerPaths extends HomePaths {
  readonly instances: string
  /** Ids of the images that were loaded into the Engine. */
  readonly images: string
  instance(id: InstanceId): DockerInstancePaths
}

export interface DockerInstancePaths extends NameFiles {
  readonly folder: string
  /** Is there once it was healthy: labels cannot be added to a container. */
  readonly proven: string
}

/** Is there from the first opening of a docker target in this home on, until all that it made is removed. */
export const dockerInstances = (home: string): string => join(home, 'docker', 'instances')

export function dockerPaths(home: string): DockerPaths {
  const folder = join(home, 'docker')
  const instances = dockerInstances(home)
  return {
    ...homePaths(home, join(folder, 'logs')),
    instances,
    images: join(folder, 'images.json'),
    instance(id) {
      const own = join(instances, id)
      return {
        folder: own,
        hosts: join(own, 'hosts'),
        hostname: join(own, 'hostname'),
        resolvConf: join(own, 'resolv.conf'),
        proven: join(own, 'proven'),
      }
    },
  }
}
