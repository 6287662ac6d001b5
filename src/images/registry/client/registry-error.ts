import { BasaltError } from '../../../errors.ts'

/** What a registry says of a failure (distribution-spec, "Error Codes"): the first few of its messages, as one line. */
export function refusalIn(body: Buffer): string | null {
  try {
    const { errors } = JSON.parse(body.toString('utf8')) as { readonly errors?: unknown }
    if (!Array.isArray(errors)) return null
    const texts = errors.slice(0, 3).flatMap((error: unknown): readonly string[] => {
      const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: unknown }
      const text = typeof message === 'string' && message !== '' ? message : code
      return typeof text === 'string' ? [text] : []
    })
    const line = texts.join('; ')
    return line === '' ? null : printable(line).slice(0, 300)
  } catch {
    return null
  }
}

/** Terminals obey control characters, whoever sent them. */
const printable = (line: string): string => line.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ')

export const unreachable = (registry: string, what: string, cause: unknown): BasaltError =>
  new BasaltError('registry.unreachable', {
    message: `${what}: the registry ${registry} could not be reached: ${reasonOf(cause)}`,
    remedy: isUntrusted(cause)
      ? `Put the certificate of its authority into /etc/docker/certs.d/${registry}/ca.crt, or into the system's.`
      : 'Check the name, the network and the proxy (HTTPS_PROXY of the server); then run the command again.',
    details: { registry },
    cause,
  })

export const denied = (registry: string, what: string, reason: string, loggedIn: boolean): BasaltError =>
  new BasaltError('registry.denied', {
    message: `${what}: the registry ${registry} refused ${loggedIn ? 'the credentials' : 'access without credentials'}: ${reason}`,
    remedy: `Check the name and what you may do there, and log in as the user that runs the server: sudo docker login ${registry}`,
    details: { registry, loggedIn },
  })

export const failed = (registry: string, what: string, reason: string, cause?: unknown): BasaltError =>
  new BasaltError('registry.failed', {
    message: `${what}: the registry ${registry} ${reason}`,
    remedy: 'Run the command again later; if it stays, ask whoever runs that registry.',
    details: { registry },
    ...(cause === undefined ? {} : { cause }),
  })

/** Node's name for what went wrong; undici wraps what the socket said. */
export function networkCode(cause: unknown): string {
  for (let error = cause; error instanceof Error; error = error.cause) {
    const { code } = error as NodeJS.ErrnoException
    if (typeof code === 'string' && code !== '') return code
  }
  return ''
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const inner = cause.cause instanceof Error ? cause.cause : cause
  // Several addresses were tried.
  const first: unknown = inner instanceof AggregateError ? inner.errors[0] : inner
  const { message, code, name } = first as NodeJS.ErrnoException
  return message === '' ? (code ?? name) : message
}

/** Of OpenSSL and Node, where a certificate cannot be followed to an authority, or is for another name or time. */
export const isUntrusted = (cause: unknown): boolean =>
  /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_CA)/.test(
    networkCode(cause),
  )
