import * as z from 'zod'
import { hostPattern, requestTargetPattern, urlPathPattern } from '../core/address-patterns.ts'
import { isMountable } from '../core/container-path.ts'
import { namePattern } from '../core/ids.ts'
import type { Release } from '../core/release.ts'
import type { Expose, HealthCheck, RunSpec } from '../core/system.ts'
import { digestSchema } from './descriptor.ts'

const name = z.string().regex(namePattern)
const mountPath = z.string().refine(isMountable, 'is not a path that may be mounted on')
const count = z.number().int().nonnegative()
const port = z.number().int().min(1).max(65_535)
const texts = z.record(z.string(), z.string())

/** Written as nothing when empty: one release has one form. */
const labels = texts.refine((written) => Object.keys(written).length > 0, 'must not be empty')

const timing = { intervalMs: count, timeoutMs: count, startMs: count, retries: count }
const health = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('http'), path: z.string().regex(requestTargetPattern), port, ...timing }),
  z.strictObject({ kind: z.literal('tcp'), port, ...timing }),
  z.strictObject({ kind: z.literal('command'), command: z.array(z.string()).min(1), ...timing }),
  z.strictObject({ kind: z.literal('running'), ...timing }),
]) satisfies z.ZodType<HealthCheck>

const run = z.strictObject({
  command: z.array(z.string()).min(1).nullable(),
  env: texts,
  ports: z.array(z.strictObject({ port, protocol: z.enum(['http', 'tcp']) })),
  health,
  needs: z.array(name),
  writable: z.array(z.strictObject({ path: mountPath, sizeBytes: count })),
  volumes: z.array(z.strictObject({ name, path: mountPath })),
  stateful: z.boolean(),
  limits: z.strictObject({
    memoryBytes: count.nullable(),
    cpus: z.number().positive().nullable(),
    pids: count,
  }),
  user: z.string().min(1).nullable(),
  capabilities: z.array(z.string().regex(/^CAP_[A-Z_]+$/)),
  stop: z.strictObject({ signal: z.string().regex(/^SIG[A-Z0-9]+$/), graceMs: count }),
}) satisfies z.ZodType<RunSpec>

const expose = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('http'),
    host: z.string().regex(hostPattern),
    path: z.string().regex(urlPathPattern),
    port,
    entryPort: port.nullable(),
  }),
  z.strictObject({ kind: z.literal('tcp'), port, entryPort: port }),
]) satisfies z.ZodType<Expose>

/** Strict: a member that this version does not know could change what a release means. */
export const releaseSchema = z
  .strictObject({
    schema: z.literal('basalt.release/v1'),
    system: name,
    services: z.record(
      name,
      z.strictObject({
        image: digestSchema,
        run,
        expose: z.array(expose),
        replicas: z.number().int().positive(),
        labels: labels.exactOptional(),
      }),
    ),
    source: z.strictObject({
      revision: z
        .string()
        .regex(/^[0-9a-f]{40}$/)
        .nullable(),
      dirty: z.boolean(),
    }),
    builders: texts,
    lock: digestSchema.nullable(),
  })
  .superRefine(({ services }, context) => {
    for (const [
      service,
      {
        run: { needs },
      },
    ] of Object.entries(services))
      for (const need of needs)
        if (!Object.hasOwn(services, need))
          context.addIssue({
            code: 'custom',
            path: ['services', service, 'run', 'needs'],
            message: `there is no service ${need}`,
          })
  }) satisfies z.ZodType<Release>
