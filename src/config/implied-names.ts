import { basename, dirname } from 'node:path'
import { type EnvironmentId, environmentId } from '../core/ids.ts'
import { defaults } from './defaults.ts'
import { systemNameFor } from './system-name.ts'

/** Files that stand for a system of their own where there is no basalt.yaml. */
export const dockerfileNames: readonly string[] = ['Dockerfile', 'Containerfile']

export const isDockerfile = (path: string): boolean => dockerfileNames.includes(basename(path))

/** The name of the system that a Dockerfile implies: that of its folder. */
export const impliedSystemName = (dockerfile: string): string => systemNameFor(basename(dirname(dockerfile)))

/** The one environment of that system. */
export const impliedEnvironment = (dockerfile: string): EnvironmentId =>
  environmentId(impliedSystemName(dockerfile), defaults.environment.name)
