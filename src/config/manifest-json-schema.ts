import * as z from 'zod'
import { manifestSchema } from './schema/manifest-schema.ts'

/**
 * The JSON Schema of basalt.yaml for editors, published as schema/basalt.schema.json. Draft 7, which every
 * editor's YAML support understands. What needs more than one value to judge (a need that does not exist, two
 * services at one host) is left to `basalt validate`.
 */
export function manifestJsonSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...schema } = z.toJSONSchema(manifestSchema, {
    target: 'draft-07',
    io: 'input',
    override: ({ jsonSchema }) => {
      // What every whole number obeys anyway only distracts in an editor.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    },
  })
  return {
    $schema,
    title: 'basalt.yaml',
    description: 'A system of services that Basalt builds, freezes and deploys as one.',
    ...schema,
    patternProperties: { '^x-': { description: 'Free for your own use, for example to hold YAML anchors.' } },
  }
}

/** The published file's text. */
export const manifestJsonSchemaText = (): string => `${JSON.stringify(manifestJsonSchema(), null, 2)}\n`
