import type { System } from '../core/system.ts'
import { invariant } from '../errors.ts'
import { type ManifestPath, type Place, ProblemList } from './problem-list.ts'
import { resolveSystem } from './resolve/resolve-system.ts'
import { type Manifest, manifestSchema } from './schema/manifest-schema.ts'
import { reportIssues } from './schema/report-issues.ts'
import { wantsTextAt } from './schema/schemas-at.ts'
import { readYaml } from './yaml/read-yaml.ts'

export interface ParsedManifest {
  readonly system: System
  /**
   * Where something is written, for mistakes that only later stages can find: `['services', 'web', 'build',
   * 'packages', 'nodejs']`. List items go by position or by their own text. What is not written is found at the
   * closest block around it.
   */
  readonly locate: (path: ManifestPath) => Place
}

/**
 * A manifest's text to the System that it declares. Pure.
 *
 * @throws BasaltError `manifest.invalid` with every mistake as `file:line:column: fact. Remedy`, and as data in
 * `details.problems`.
 * @internal Only tests do without the places.
 */
export function parseManifest(text: string, fileName: string): System {
  return parseLocatedManifest(text, fileName).system
}

/** As `parseManifest`, keeping the places. */
export function parseLocatedManifest(text: string, fileName: string): ParsedManifest {
  const { source, problems } = readYaml(
    text,
    (path) => wantsTextAt(manifestSchema, path),
    (locate) => new ProblemList(fileName, locate),
  )
  if (source === null) throw problems.toError()
  const manifest = withoutExtensions(source.value)
  const checked = manifestSchema.safeParse(manifest)
  if (!checked.success) reportIssues(checked.error.issues, manifest, problems)
  const system = resolveSystem(manifest as Manifest, problems)
  if (!problems.isEmpty) throw problems.toError()
  invariant(system !== null, 'a manifest without a mistake has no system')
  return { system, locate: (path) => source.locate(path, 'value') }
}

/** Top-level `x-…` keys hold anchors for use elsewhere, as in Compose files. */
function withoutExtensions(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => !key.startsWith('x-')))
}
