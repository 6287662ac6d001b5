import * as z from 'zod'
import { exampleManifest } from './example-manifest.ts'
import { manifestSchema } from './schema/manifest-schema.ts'
import { alternatives } from './schema/schemas-at.ts'

type Schema = z.core.$ZodType

interface Section {
  readonly title: string
  readonly block: z.ZodObject
}

/** docs/manifest.md: every key of basalt.yaml, made from the schema so that it cannot drift from the parser. */
export function manifestReference(): string {
  const tables = sections('', manifestSchema, new Set()).map(({ title, block }) => {
    // Of two blocks in one place.
    const kind = block.meta()?.title
    const heading = title === '' ? 'The top level' : `\`${title}\`${kind === undefined ? '' : ` ${kind}`}`
    return [`### ${heading}`, '', ...table(block)].join('\n')
  })
  return `${[introduction, `## Example\n\n\`\`\`yaml\n${exampleManifest}\`\`\``, rules, `## Every key`, ...tables].join('\n\n')}\n`
}

/** Every block of keys with the path that leads to it; one that is used twice is described where it comes first. */
function sections(title: string, schema: Schema, seen: Set<unknown>): readonly Section[] {
  return alternatives(schema).flatMap((found): readonly Section[] => {
    if (found instanceof z.ZodRecord) return sections(`${title}.<name>`, found.valueType, seen)
    if (found instanceof z.ZodArray) return sections(`${title}[]`, found.element, seen)
    if (!(found instanceof z.ZodObject) || seen.has(found.shape)) return []
    seen.add(found.shape)
    const inner = Object.entries(found.shape).flatMap(([key, value]) =>
      sections(title === '' ? key : `${title}.${key}`, value as Schema, seen),
    )
    return [{ title, block: found }, ...inner]
  })
}

function table(block: z.ZodObject): readonly string[] {
  const rows = Object.entries(block.shape).map(([key, value]) => {
    const schema = value as z.ZodType
    const { description = '', default: usual, examples } = schema.meta() ?? {}
    const example = Array.isArray(examples) && examples.length > 0 ? ` Example: ${code(examples[0])}.` : ''
    const required = !schema.safeParse(undefined).success
    const otherwise = required ? '**required**' : usual === undefined ? '' : code(usual)
    return `| \`${key}\` | ${cell(ruleOf(schema))} | ${cell(otherwise)} | ${cell(`${description}${example}`)} |`
  })
  return ['| key | value | default | meaning |', '|---|---|---|---|', ...rows]
}

/** The text that completes "it must be …" in error messages. */
function ruleOf(schema: Schema): string {
  const inner = schema instanceof z.ZodOptional ? schema.unwrap() : schema
  const rule = inner._zod.def.error?.({ code: 'custom', input: undefined, path: [] } as never)
  return typeof rule === 'string' ? rule : (rule?.message ?? '')
}

const code = (value: unknown): string => `\`${typeof value === 'string' ? value : flow(value)}\``

/** A value as YAML on one line. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`
  if (typeof value === 'object' && value !== null)
    return `{ ${Object.entries(value)
      .map(([key, member]) => `${key}: ${flow(member)}`)
      .join(', ')} }`
  return /^[*&]/.test(String(value)) ? `"${String(value)}"` : String(value)
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

const introduction = `# basalt.yaml

\`basalt.yaml\` declares a system: its services, how their images are built, what they need, and the environments
where its releases run. \`basalt init\` writes a first one, \`basalt validate\` checks it, and
\`schema/basalt.schema.json\` lets editors complete and check it while you type: put
\`# yaml-language-server: $schema=<path or URL of that file>\` on the first line.`

const rules = `## Rules

- **YAML 1.2.** \`yes\`, \`no\` and \`on\` are texts; only \`true\` and \`false\` are booleans. Anchors, aliases and
  \`<<\` merge keys work; keys at the top level that begin with \`x-\` are free for holding anchors.
- **Texts that look like numbers.** Environment values, labels, arguments, users and modes are taken as they are
  written: \`1.10\` is "1.10" and \`0644\` is "0644".
- **Commands** are lists of arguments. One line is split at spaces, with quotes; no shell ever runs, and shell
  syntax is refused. When a shell is meant, write \`[sh, -c, "…"]\`.
- **Durations** carry their unit: \`500ms\`, \`2s\`, \`1m30s\`, \`1h\`; at most \`24d\`. **Sizes** count in 1024s: \`64M\`
  is 67,108,864 bytes.
- **Names** of systems, services, environments and volumes are lower-case letters, digits and \`-\`.
- **Images** are named as for Docker: \`nginx:1.25\` is \`docker.io/library/nginx:1.25\`. A tag can be moved to another
  image, so the first build finds out its digest and pins it in \`basalt.lock\`; every later build uses that one, until
  \`basalt build --update\` asks again and shows what has changed. A release has the digest only. An image that is in no
  registry is brought in with \`basalt image import\`, which prints the digest to write. See images.md.
- **Services that need each other** in a circle are allowed: they share one identity and are replaced together.
- **Stateful services** hold durable data. They have one instance, which is stopped before its successor starts;
  their volumes are neither replaced nor rolled back. \`volumes\` need \`stateful: true\`, and no two services
  share one: a volume has one writer.
- **Labels of a service** are not part of its identity: changing them replaces nothing.
- An environment may decide replicas, environment variables, limits and ways in. Everything else belongs to the
  release, so that what passed staging is what production runs.

Every mistake is reported at once, as \`file:line:column: fact. What to write instead\`.`
