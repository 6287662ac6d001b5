import * as z from 'zod'
import { BasaltError } from '../../../errors.ts'
import { diskFull } from '../../../util/disk-error.ts'

/** What dockerode rejects with: an answer of the Engine, or a failure to get one. */
const failureSchema = z.object({
  code: z.string().optional(),
  statusCode: z.int().optional(),
  json: z.object({ message: z.string() }).optional().catch(undefined),
  message: z.string().default(''),
})

const unreachableCodes = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE', 'ENOTSOCK'])
const forbiddenCodes = new Set(['EACCES', 'EPERM'])

/** The one border where the Engine's failures become ours. What is translated already passes through. */
export function engineError(socketPath: string, purpose: string, cause: unknown): BasaltError {
  if (cause instanceof BasaltError) return cause
  const {
    code = '',
    statusCode,
    json,
    message,
  } = failureSchema.parse(
    cause instanceof Error ? Object.assign({ message: cause.message }, cause) : { message: String(cause) },
  )
  if (unreachableCodes.has(code)) return engineUnreachable(socketPath, message, cause)
  if (forbiddenCodes.has(code)) return forbidden(socketPath, cause)
  return engineRefused(purpose, (json?.message ?? message).trim(), { statusCode, cause })
}

/** The Engine answered, and refused or failed in words of its own. */
export function engineRefused(
  purpose: string,
  said: string,
  { statusCode, cause }: { readonly statusCode?: number | undefined; readonly cause?: unknown } = {},
): BasaltError {
  // It tells it in words only.
  if (/no space left on device/i.test(said)) return diskFull("the Docker Engine's data", cause)
  return new BasaltError('docker.failed', {
    message: `${purpose}: the Docker Engine said: ${said}`,
    remedy: "See the Engine's own log, and what Basalt finds: `basalt doctor`.",
    details: { ...(statusCode === undefined ? {} : { statusCode }), said },
    cause,
  })
}

export const engineUnreachable = (socketPath: string, why: string, cause?: unknown): BasaltError =>
  new BasaltError('docker.unreachable', {
    message: `no Docker Engine answers at ${socketPath}: ${why}`,
    remedy: 'Start it, for example: systemctl start docker. Another socket is named by DOCKER_HOST.',
    details: { socket: socketPath },
    cause,
  })

const forbidden = (socketPath: string, cause: unknown): BasaltError =>
  new BasaltError('docker.forbidden', {
    message: `the server may not talk to the Docker Engine at ${socketPath}`,
    remedy: 'Run the server as root: sudo basalt server restart',
    details: { socket: socketPath },
    cause,
  })

/** The Engine answered, with this status. */
export const hasStatus = (error: unknown, ...statuses: readonly number[]): boolean =>
  error instanceof BasaltError &&
  error.code === 'docker.failed' &&
  statuses.includes(error.details['statusCode'] as number)
