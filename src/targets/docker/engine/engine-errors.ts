import * as z from 'zod'
import { BasaltError } from '../../../errors.ts'
import { diskFull } from '../../../util/disk-error.ts'
import {
  engineFailed,
  engineForbidden,
  engineUnreachable,
  saysDiskFull,
} from '../../../util/docker-engine-errors.ts'

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
  if (forbiddenCodes.has(code)) return engineForbidden(socketPath, cause)
  return engineRefused(purpose, (json?.message ?? message).trim(), { statusCode, cause })
}

/** The Engine answered, and refused or failed in words of its own. */
export const engineRefused = (
  purpose: string,
  said: string,
  answer: { readonly statusCode?: number | undefined; readonly cause?: unknown } = {},
): BasaltError =>
  saysDiskFull(said)
    ? diskFull("the Docker Engine's data", answer.cause)
    : engineFailed(purpose, said, answer)

/** The Engine answered, with this status. */
export const hasStatus = (error: unknown, ...statuses: readonly number[]): boolean =>
  error instanceof BasaltError &&
  error.code === 'docker.failed' &&
  statuses.includes(error.details['statusCode'] as number)
