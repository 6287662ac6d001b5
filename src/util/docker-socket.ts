import { existsSync } from 'node:fs'
import { BasaltError } from '../errors.ts'

/** Docker's own, then the one that Podman answers at in Docker's language. */
const usualSockets = ['/var/run/docker.sock', '/run/podman/podman.sock'] as const

/**
 * The socket of this machine's Engine: the one that DOCKER_HOST names, else the first usual one that is there. Rejects
 * with `docker.unreachable` where DOCKER_HOST names another machine: instances, router and networks are made here.
 */
export function dockerSocket(
  environment: Readonly<Record<string, string | undefined>>,
  exists: (path: string) => boolean = existsSync,
): string {
  const host = environment['DOCKER_HOST'] ?? ''
  if (host.startsWith('unix://')) return host.slice('unix://'.length)
  if (host !== '')
    throw new BasaltError('docker.unreachable', {
      message: `DOCKER_HOST is ${host}; the docker target works with an Engine of this machine, over its unix socket`,
      remedy:
        'Unset DOCKER_HOST for the server, or set it to unix:///path/of/docker.sock, then: basalt server restart',
      details: { host },
    })
  return usualDockerSocket(exists)
}

/** Where an Engine answers that nobody has named: the first of the usual places where there is a socket. */
export const usualDockerSocket = (exists: (path: string) => boolean = existsSync): string =>
  usualSockets.find((path) => exists(path)) ?? usualSockets[0]
