import * as z from 'zod'
import type { ManifestPath } from '../problem-list.ts'
import { asWritten } from './scalars.ts'

/** Every schema that a value at this path may meet: all branches of the unions on the way. */
export function schemasAt(schema: z.core.$ZodType, path: ManifestPath): readonly z.core.$ZodType[] {
  let found = alternatives(schema)
  for (const segment of path) found = found.flatMap((parent) => child(parent, segment)).flatMap(alternatives)
  return found
}

/** The keys that a block at this path may have. */
export const keysAt = (schema: z.core.$ZodType, path: ManifestPath): readonly string[] =>
  schemasAt(schema, path).flatMap((found) => (found instanceof z.ZodObject ? Object.keys(found.shape) : []))

/** True where numbers and booleans count as the text that was written. */
export const wantsTextAt = (schema: z.core.$ZodType, path: ManifestPath): boolean =>
  schemasAt(schema, path).some((found) => asWritten.get(found)?.asWritten === true)

/** The schema without its `optional` wrapper, and beside it the branches when it is a union. */
export function alternatives(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return alternatives(schema.unwrap())
  if (schema instanceof z.ZodUnion) return [schema, ...schema.options.flatMap(alternatives)]
  return [schema]
}

function child(schema: z.core.$ZodType, segment: string | number): readonly z.core.$ZodType[] {
  if (schema instanceof z.ZodObject && typeof segment === 'string' && Object.hasOwn(schema.shape, segment))
    return [schema.shape[segment] as z.core.$ZodType]
  if (schema instanceof z.ZodRecord && typeof segment === 'string') return [schema.valueType]
  if (schema instanceof z.ZodArray && typeof segment === 'number') return [schema.element]
  return []
}
