import * as z from 'zod'
import { releaseName, resultSchemas } from '../server/result-schemas.ts'

/* What commands print that do not ask the server. For docs/api.md and tests; commands never load it. */

const schema = <Name extends string>(name: Name) => z.literal(name)
const optionalText = z.string().nullable()
const health = resultSchemas['basalt.health/v1'] ?? z.never()

const commandSchemas: Readonly<Record<string, z.ZodType>> = {
  'basalt.init/v1': z.object({
    schema: schema('basalt.init/v1'),
    /** Null: nothing was written. */
    file: optionalText,
    text: z.string(),
    notes: z.array(z.string()),
  }),
  'basalt.compose-import/v1': z.object({
    schema: schema('basalt.compose-import/v1'),
    /** Null: nothing was written. */
    file: optionalText,
    text: z.string(),
    /** The Compose files that were read. */
    from: z.array(z.string()),
    rows: z.array(
      z.object({
        /** Null: of the project as a whole. */
        service: optionalText,
        /** As in the Compose file; empty: the service itself. */
        key: z.string(),
        fate: z.enum(['carried', 'changed', 'dropped', 'refused']),
        /** What it became, or why it did not. */
        text: z.string(),
        file: z.string(),
        line: z.number().int(),
        column: z.number().int(),
      }),
    ),
    counts: z.object({
      carried: z.number().int(),
      changed: z.number().int(),
      dropped: z.number().int(),
      refused: z.number().int(),
    }),
  }),
  'basalt.validate/v1': z.object({
    schema: schema('basalt.validate/v1'),
    file: z.string(),
    system: z.string(),
    services: z.array(z.string()),
    environments: z.array(z.string()),
  }),
  'basalt.release-exported/v1': z.object({
    schema: schema('basalt.release-exported/v1'),
    release: releaseName,
    file: z.string(),
    sizeBytes: z.number().int(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  'basalt.doctor/v1': z.object({
    schema: schema('basalt.doctor/v1'),
    ready: z.boolean(),
    probes: z.array(
      z.object({
        name: z.string(),
        purpose: z.string(),
        required: z.boolean(),
        state: z.enum(['found', 'poor', 'missing']),
        detail: z.string(),
        remedy: optionalText,
      }),
    ),
  }),
  'basalt.server/v1': z.object({
    schema: schema('basalt.server/v1'),
    running: z.boolean(),
    home: z.string(),
    socketPath: z.string(),
    logPath: z.string(),
    server: health.nullable(),
  }),
  'basalt.completion/v1': z.object({
    schema: schema('basalt.completion/v1'),
    shell: z.string(),
    script: z.string(),
  }),
  'basalt.candidates/v1': z.object({
    schema: schema('basalt.candidates/v1'),
    candidates: z.array(z.object({ value: z.string(), help: z.string() })),
    /** File names fit here too. */
    files: z.boolean(),
  }),
  'basalt.version/v1': z.object({
    schema: schema('basalt.version/v1'),
    version: z.string(),
    node: z.string(),
  }),
}

/** Every document that the server or a command prints, by its `schema`. */
export const documentSchemas: Readonly<Record<string, z.ZodType>> = { ...resultSchemas, ...commandSchemas }
