import { BasaltError } from '../../../errors.ts'
import { type EngineEndpoint, endpointName } from './engine-endpoint.ts'

/** What node says of a connection to an Engine, in our words. What is translated already passes through. */
export function connectionError(endpoint: EngineEndpoint, cause: unknown): BasaltError {
  if (cause instanceof BasaltError) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  const place = endpointName(endpoint)
  if (code === 'EACCES' || code === 'EPERM')
    return new BasaltError('docker.forbidden', {
      message: `the server may not talk to the Docker Engine at ${place}`,
      remedy: 'Run the server as root: sudo basalt server restart',
      details: { socket: place },
      cause,
    })
  return new BasaltError('docker.unreachable', {
    message: `no Docker Engine answers at ${place}: ${message}`,
    remedy: 'Start it, for example: systemctl start docker. Another one is named by DOCKER_HOST.',
    details: { socket: place },
    cause,
  })
}

/** What an Engine refused, in its own words. */
export const engineRefused = (purpose: string, statusCode: number, said: string): BasaltError =>
  isDiskFull(said)
    ? engineDiskFull(said)
    : new BasaltError('docker.failed', {
        message: `${purpose}: the Docker Engine said: ${said}`,
        remedy: "See the Engine's own log, and what Basalt finds: `basalt doctor`.",
        details: { statusCode, said },
      })

/** The Engine tells it in words only. */
export const isDiskFull = (said: string): boolean => /no space left on device|disk quota exceeded/i.test(said)

export const engineDiskFull = (said: string): BasaltError =>
  new BasaltError('host.disk-full', {
    message: `no space is left on the disk that images are built on: ${said}`,
    remedy: 'Make room, for example: docker system prune. Then build again: basalt build',
    details: { said },
  })

export const engineTooOld = (version: string, apiVersion: string, lowest: string): BasaltError =>
  new BasaltError('docker.too-old', {
    message: `Docker Engine ${version} speaks API ${apiVersion}; Basalt needs ${lowest}`,
    remedy: 'Upgrade it to Docker 20.10 or newer, or build without it: apt-get install buildah',
    details: { version, apiVersion },
  })
