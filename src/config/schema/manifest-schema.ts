import * as z from 'zod'
import { defaults } from '../defaults.ts'
import { exposeSchema } from './expose-schema.ts'
import { duration, environmentVariables, name, portNumber } from './scalars.ts'
import { limitsSchema, replicasSchema, serviceSchema } from './service-schema.ts'

const overrideSchema = z.strictObject(
  {
    replicas: replicasSchema.optional().meta({ description: 'How many instances run here.' }),
    env: environmentVariables
      .optional()
      .meta({ description: 'Added to the service’s environment variables; the same name is replaced.' }),
    limits: limitsSchema.optional().meta({ description: 'Replaces the limits that it names.' }),
    expose: exposeSchema
      .optional()
      .meta({ description: 'Replaces the service’s `expose`; `false` or `[]` exposes nothing here.' }),
  },
  { error: 'a block with `replicas`, `env`, `limits` or `expose`' },
)

const environmentSchema = z.strictObject(
  {
    target: z
      .enum(
        ['local', 'docker', 'memory'],
        '`local` or `docker` (or `memory`, which runs nothing and is meant for tests)',
      )
      .optional()
      .meta({
        description:
          'Where instances run: `local` is this machine; `docker` is the Docker Engine of this machine; `memory` runs nothing and is meant for tests.',
        default: defaults.environment.target,
      }),
    ingress: portNumber.optional().meta({
      description: 'The port at which exposed HTTP services answer.',
      default: defaults.environment.ingress,
    }),
    warm: duration.optional().meta({
      description: 'How long the previous generation stays running after a success: rollback is one switch.',
      default: defaults.environment.warm,
    }),
    watch: duration.optional().meta({
      description: 'How long the new generation is watched after the switch; if it fails, traffic returns.',
      default: defaults.environment.watch,
    }),
    services: z
      .record(name, overrideSchema, { error: 'a block of services' })
      .optional()
      .meta({ description: 'What this environment decides differently, by service.' }),
  },
  { error: 'a block with `target`, `ingress`, `warm`, `watch` or `services`' },
)

/** basalt.yaml as people write it. The parser, the JSON Schema and the reference are all made from this. */
export const manifestSchema = z.strictObject(
  {
    system: name.meta({
      description: 'The name of the system. Its releases are called `<system>@1`, `<system>@2`, …',
      examples: ['shop'],
    }),
    services: z.record(name, serviceSchema, { error: 'a block of services' }).meta({
      description: 'The services, by name. Together they are released, switched and rolled back as one.',
    }),
    environments: z
      .record(name, environmentSchema.nullable(), { error: 'a block of environments' })
      .optional()
      .meta({
        description: `The places where releases run, by name. Without this block there is one, \`${defaults.environment.name}\`, on target \`${defaults.environment.target}\` at port ${defaults.environment.ingress}.`,
      }),
  },
  { error: 'a block with `system` and `services`' },
)

export type Manifest = z.infer<typeof manifestSchema>
export type EnvironmentManifest = z.infer<typeof environmentSchema>
export type OverrideManifest = z.infer<typeof overrideSchema>
