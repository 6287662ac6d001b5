import { canonicalJson } from './digest.ts'

/** One place where two documents differ. A member that is absent on a side is absent here too. */
export interface Difference {
  /** `services.web.run.env.LOG_LEVEL`; list items by position. */
  readonly path: string
  readonly from?: unknown
  readonly to?: unknown
}

/** All differences between two plain JSON values, in the order of their paths; the smallest parts that differ. */
export function differences(from: unknown, to: unknown, path = ''): readonly Difference[] {
  if (isRecord(from) && isRecord(to)) {
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])].toSorted()
    return keys.flatMap((key) => differences(from[key], to[key], path === '' ? key : `${path}.${key}`))
  }
  if (from === undefined && to === undefined) return []
  if (from === undefined) return [{ path, to }]
  if (to === undefined) return [{ path, from }]
  return canonicalJson(from) === canonicalJson(to) ? [] : [{ path, from, to }]
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
