import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { invariant } from '../errors.ts'
import type { Digest } from './ids.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

export const digestOfBytes = (bytes: Uint8Array | string): Digest =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/**
 * Canonical JSON (RFC 8785). Takes plain data only: whatever JSON cannot say (undefined members, Map, Date)
 * would be dropped without a word by the encoder, so it is refused here.
 */
export function canonicalJson(value: unknown): string {
  assertJson(value, '$')
  const text = canonicalize(value)
  invariant(text !== undefined, 'a value has no canonical JSON')
  return text
}

/** The identity of plain data: sha256 of its canonical JSON. */
export const digestOf = (value: unknown): Digest => digestOfBytes(canonicalJson(value))

function assertJson(value: unknown, path: string): asserts value is Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return
  if (typeof value === 'number') {
    invariant(Number.isFinite(value), `${path} is not a finite number`)
    return
  }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) assertJson(item, `${path}[${index}]`)
    return
  }
  invariant(
    typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype,
    `${path} is not plain JSON`,
  )
  for (const [key, member] of Object.entries(value)) assertJson(member, `${path}.${key}`)
}
