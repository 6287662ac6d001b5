import { BasaltError } from '../../../errors.ts'
import {
  engineFailed,
  engineForbidden,
  engineUnreachable,
  saysDiskFull,
} from '../../../util/docker-engine-errors.ts'
import { type EngineEndpoint, endpointName } from './engine-endpoint.ts'

/** What node says of a connection to an Engine, in our words. What is translated already passes through. */
export function connectionError(endpoint: EngineEndpoint, cause: unknown): BasaltError {
  if (cause instanceof BasaltError) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  const place = endpointName(endpoint)
  return code === 'EACCES' || code === 'EPERM'
    ? engineForbidden(place, cause)
    : engineUnreachable(place, message, cause)
}

/** What an Engine refused, in its own words. */
export const engineRefused = (purpose: string, statusCode: number, said: string): BasaltError =>
  saysDiskFull(said) ? buildDiskFull(said) : engineFailed(purpose, said, { statusCode })

export const buildDiskFull = (said: string): BasaltError =>
  new BasaltError('host.disk-full', {
    message: `no space is left on the disk that images are built on: ${said}`,
    remedy: 'Make room, for example: docker system prune. Then build again: basalt build',
    details: { said },
  })
