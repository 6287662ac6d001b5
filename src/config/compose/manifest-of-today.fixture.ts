import { parse, stringify } from 'yaml'
import * as z from 'zod'
import type { System } from '../../core/system.ts'
import { parseManifest } from '../parse-manifest.ts'

const anyImage = `sha256:${'0'.repeat(64)}`
const path = z.string().regex(/^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))[^\u0000-\u001f\u007f]+$/)
/** The Dockerfile form of `build`. */
const buildSchema = z.union([
  path,
  z.strictObject({
    context: path,
    dockerfile: path.optional(),
    target: z
      .string()
      .regex(/^[A-Za-z0-9][\w.-]*$/)
      .optional(),
    secrets: z.record(z.string().regex(/^[\w.-]+$/), path).optional(),
    args: z.record(z.string().regex(/^[A-Za-z_]\w*$/), z.string()).optional(),
  }),
])
const imageSchema = z.string().regex(/^[\w.:/@[\]-]+$/)

/**
 * Checks a manifest whose services are built from Dockerfiles or taken by tag: these two keys by the schema above,
 * everything else by the parser of basalt.yaml.
 */
export function parseImported(text: string): System {
  const manifest = parse(text, { schema: 'core' }) as { services: Record<string, Record<string, unknown>> }
  for (const service of Object.values(manifest.services)) {
    if (service['build'] !== undefined) buildSchema.parse(service['build'])
    else imageSchema.parse(service['image'])
    delete service['build']
    service['image'] = anyImage
  }
  return parseManifest(stringify(manifest, { schema: 'core', lineWidth: 0 }), 'basalt.yaml')
}
