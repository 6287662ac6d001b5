import { isAbsolute } from 'node:path'
import * as z from 'zod'
import { BasaltError } from '../errors.ts'
import { scopes } from '../images/registry/server/scope.ts'

/*
 * What clients may send. Every text is bounded, every unknown member refused: a misspelt one would otherwise be
 * dropped without a word. The actor is in none of them: the server finds it out.
 */

const name = z.string().min(1).max(100)
const release = z.string().min(1).max(200)
const reason = z.string().max(2_000)
const file = z
  .string()
  .max(4_096)
  .refine((path) => isAbsolute(path), 'must be an absolute path')
const timeoutMs = z
  .number()
  .int()
  .positive()
  .max(7 * 24 * 3_600_000)

const scope = {
  file: file.nullable().default(null),
  system: name.nullable().default(null),
  environment: name.nullable().default(null),
}

const off = z.boolean().default(false)
export const buildBody = z.strictObject({ file, update: off, check: off, log: off })

export const deployBody = z.strictObject({
  ...scope,
  release: release.nullable().default(null),
  all: z.boolean().default(false),
  wait: z.boolean().default(false),
  timeoutMs: timeoutMs.nullable().default(null),
  reason: reason.nullable().default(null),
})

export const rollbackBody = z.strictObject({
  ...scope,
  to: release.nullable().default(null),
  wait: z.boolean().default(false),
  timeoutMs: timeoutMs.nullable().default(null),
  reason: reason.nullable().default(null),
})

export const downBody = z.strictObject({ ...scope, wait: z.boolean().default(false) })

const reference = z.string().min(1).max(1_000)

export const pullBody = z.strictObject({ reference })
export const pushBody = z.strictObject({ image: release, system: name.nullable().default(null), reference })
export const noInput = z.strictObject({})

export const registryEnableBody = z.strictObject({
  listen: z.string().max(200),
  tls: z.strictObject({ certificate: file, key: file }).nullable().default(null),
  anonymousPull: z.boolean().default(true),
})

/** The user name of a login: without a colon, and safe to show. */
const tokenName = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]{0,63}$/, 'must be up to 64 letters, digits, "_", "." and "-"')

export const registryGrantBody = z.strictObject({ name: tokenName, scope: z.enum(scopes) })
export const registryRevokeParams = z.strictObject({ name: z.string().max(200) })

export const verifyBody = z.strictObject({
  from: z
    .strictObject({ size: z.number().int().min(0), rootHash: z.string().regex(/^[0-9a-f]{64}$/) })
    .nullable()
    .default(null),
})

/** Query strings carry text only: numbers and truth values are read from it. */
const queryName = name.optional().transform((text) => text ?? null)
const queryFlag = z
  .enum(['true', 'false'])
  .optional()
  .transform((text) => text === 'true')
const queryCount = (largest: number) => z.coerce.number().int().min(0).max(largest)

export const statusQuery = z.strictObject({ system: queryName, environment: queryName })
export const historyQuery = z.strictObject({
  system: queryName,
  environment: queryName,
  limit: queryCount(10_000).min(1).default(20),
})
export const releasesQuery = z.strictObject({ system: queryName })
export const diffQuery = z.strictObject({ system: queryName, from: release, to: release })
export const releaseQuery = z.strictObject({ system: queryName, release })
export const logsQuery = z.strictObject({
  system: queryName,
  environment: queryName,
  service: queryName,
  follow: queryFlag,
  previous: queryFlag,
  tail: queryCount(1_000_000)
    .optional()
    .transform((count) => count ?? null),
})
export const deploymentParams = z.strictObject({ deployment: z.string().min(1).max(64) })

/** Parses at the border: `request.invalid` lists every member that is wrong. */
export function parseRequest<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input ?? {})
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => {
    const path = issue.path.join('.')
    return path === '' ? issue.message : `${path}: ${issue.message}`
  })
  throw new BasaltError('request.invalid', {
    message: `the request is not valid: ${problems.join('; ')}`,
    remedy: 'See docs/api.md for what this call takes.',
    details: { problems },
  })
}
