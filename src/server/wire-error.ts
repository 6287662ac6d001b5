import type { WireError } from '../engine/engine.ts'
import { BasaltError, type ErrorCode, errorCatalogue } from '../errors.ts'

/** Any failure as the wire carries it. What is not a BasaltError is a bug of ours and says so. */
export function toWireError(error: unknown): WireError {
  if (error instanceof BasaltError)
    return {
      code: error.code,
      message: error.message,
      remedy: error.remedy ?? null,
      details: error.details,
    }
  return {
    code: 'internal.bug',
    message: `unexpected failure: ${error instanceof Error ? error.message : String(error)}`,
    remedy: 'Please report this, with the output of `basalt doctor` and the end of server.log.',
    details: {},
  }
}

/** The error that a server reported. A code that this version does not know is kept in `details.code`. */
export function fromWireError(wire: WireError): BasaltError {
  const known = wire.code in errorCatalogue
  return new BasaltError(known ? (wire.code as ErrorCode) : 'internal.bug', {
    message: wire.message,
    ...(wire.remedy === null ? {} : { remedy: wire.remedy }),
    details: known ? wire.details : { ...wire.details, code: wire.code },
  })
}

/** HTTP statuses of codes that mean something to HTTP; the others follow the error's kind. */
const statuses: Partial<Record<ErrorCode, number>> = {
  'request.invalid': 400,
  'server.forbidden': 403,
  'image.unknown': 404,
  'release.unknown': 404,
  'environment.unknown': 404,
  'service.unknown': 404,
  'deployment.unknown': 404,
  'deployment.in-progress': 409,
  'deployment.settled': 409,
  'release.ambiguous': 409,
  'environment.ambiguous': 409,
  'route.conflict': 409,
  'store.conflict': 409,
  'server.version-mismatch': 409,
}
const statusesByKind = { user: 422, environment: 503, bug: 500 } as const

export function statusOf(error: WireError): number {
  if (!(error.code in errorCatalogue)) return 500
  const code = error.code as ErrorCode
  return statuses[code] ?? statusesByKind[errorCatalogue[code].kind]
}
