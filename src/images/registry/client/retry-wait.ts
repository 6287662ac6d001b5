import type { IncomingHttpHeaders } from 'node:http'
import { backoffMs } from '../../../util/backoff.ts'
import { networkCode } from './registry-error.ts'

/** Of one request, without any byte gained in between. */
export const maxFailures = 5
const longestBackoffMs = 30_000
/** Who is sent away for longer is told so instead of waiting. */
const longestWaitMs = 120_000

/** Milliseconds until the next attempt; null: it is not worth waiting for. `now` in milliseconds since the epoch. */
export function waitMs(failures: number, headers: IncomingHttpHeaders, now: number): number | null {
  if (failures >= maxFailures) return null
  const asked = retryAfterMs(headers['retry-after'], now)
  if (asked !== null && asked > longestWaitMs) return null
  return Math.max(asked ?? 0, backoffMs(failures, longestBackoffMs))
}

/** Seconds or a date (RFC 9110, section 10.2.3); null where it says nothing that can be read. */
export function retryAfterMs(value: string | undefined, now: number): number | null {
  if (value === undefined) return null
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? null : Math.max(0, date - now)
}

export const isPassing = (status: number): boolean =>
  status === 429 || status === 408 || status === 500 || (status >= 502 && status <= 504)

const neverThere: ReadonlySet<string> = new Set([
  'ENOTFOUND',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
])

/** Where a registry has not answered yet, what is refused is rather a wrong name than a restart. */
export const mayPass = (cause: unknown, hasAnswered: boolean): boolean =>
  !/^ERR_SSL_|^EPROTO$/.test(networkCode(cause)) && (hasAnswered || !neverThere.has(networkCode(cause)))
