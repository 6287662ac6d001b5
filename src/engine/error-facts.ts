import type { ErrorFacts } from '../core/error-facts.ts'
import { BasaltError } from '../errors.ts'

/** Any error as the ledger and the wire carry it; what is not a BasaltError is a bug of ours. */
export function errorFacts(error: unknown): ErrorFacts {
  if (error instanceof BasaltError) {
    const { code, message, remedy, details } = error
    return { code, message: message.toWellFormed(), remedy: remedy ?? null, details: plainJson(details) }
  }
  const message = error instanceof Error ? error.message : String(error)
  return { code: 'internal.bug', message, remedy: 'Please report this.', details: {} }
}

/**
 * Details are documented to be JSON; what is not (an undefined member, a Map), and text cut inside a character
 * (the end of a log line), must not stop the ledger.
 */
const plainJson = (details: ErrorFacts['details']): ErrorFacts['details'] =>
  JSON.parse(
    JSON.stringify(details, (_, value: unknown) =>
      typeof value === 'string' ? value.toWellFormed() : value,
    ),
  ) as ErrorFacts['details']
