import { basename, dirname, join } from 'node:path'
import { BasaltError } from '../../errors.ts'
import { defaults } from '../defaults.ts'
import { mostDurationMs } from '../resolve/quantities.ts'
import { ComposeMistakes } from './compose-mistakes.ts'
import { member, membersOf, textOf } from './compose-node.ts'
import { convertCommand } from './convert/convert-command.ts'
import { convertEnvironment } from './convert/convert-environment.ts'
import { convertHealth } from './convert/convert-health.ts'
import { convertImage, imageHints, sourceObstacle } from './convert/convert-image.ts'
import { convertMounts } from './convert/convert-mounts.ts'
import {
  addMentioned,
  convertNeeds,
  findPorts,
  type Siblings,
  tellUnknownPorts,
} from './convert/convert-needs.ts'
import { convertPorts, EntryPorts } from './convert/convert-ports.ts'
import { convertProcess, convertScale } from './convert/convert-process.ts'
import { leftOutServices } from './convert/left-out-services.ts'
import { tellPlainKeys } from './convert/tell-plain-keys.ts'
import { VolumeOwners } from './convert/volume-owners.ts'
import { type ImportRow, ImportTable } from './import-table.ts'
import { type ComposeProject, loadProject, type ProjectSource } from './load/load-project.ts'
import { basaltName, NamesInUse } from './names-in-use.ts'
import { durationMs, durationText } from './quantities.ts'
import { renderManifest } from './render-manifest.ts'
import { serviceRules } from './rules/service-rules.ts'
import { topLevelRules } from './rules/top-level-rules.ts'
import { isSecretVariable } from './secret-values.ts'
import { ServiceDraft } from './service-draft.ts'

export interface ComposeImport {
  /** basalt.yaml. */
  readonly text: string
  /** What became of every part, in the order of the project. */
  readonly rows: readonly ImportRow[]
  /** The Compose files that were read. */
  readonly files: readonly string[]
}

export interface ImportOptions {
  /** Absolute: the folder in which basalt.yaml will be. */
  readonly root: string
  /** Path or URL of the JSON Schema, for editors. */
  readonly schema: string
  /** Where it is to run; without it on `local`. */
  readonly target?: 'docker' | 'local'
}

/**
 * A Compose project as basalt.yaml, by the Compose Specification. Writes nothing, and no secret into the text.
 *
 * @throws BasaltError `compose.missing`, or `compose.invalid` with every mistake as `file:line:column: fact. Remedy`
 */
export async function importCompose(
  path: string,
  source: ProjectSource,
  options: ImportOptions,
): Promise<ComposeImport> {
  const mistakes = new ComposeMistakes()
  const project = await loadProject(path, source, mistakes)
  mistakes.throwIfAny()
  const table = new ImportTable()
  const world = { table, mistakes, source, declaredSecrets: project.top.get('secrets')?.value }
  tellProject(project, table)
  await tellOverride(path, source, table)

  const leftOut = leftOutServices(project, (service) => sourceObstacle(service, options.root))
  const names = new NamesInUse('service')
  const drafts = new Map<string, ServiceDraft>()
  for (const service of project.services.values()) {
    const reason = leftOut.get(service.name)
    if (reason !== undefined) {
      table.add(service.name, '', 'refused', service.at, `the service is left out: ${reason}`)
      continue
    }
    const hints = await imageHints(service, options.root, source.files)
    const draft = new ServiceDraft(names.take(service.name), service, hints, world)
    drafts.set(service.name, draft)
  }
  await convertServices({ drafts, leftOut }, project, mistakes, options.root)
  const entries = new EntryPorts(drafts.values())
  for (const draft of drafts.values()) convertPorts(draft, entries)
  for (const draft of drafts.values()) findPorts(draft, { drafts, leftOut })
  for (const draft of drafts.values()) convertHealth(draft)
  for (const draft of drafts.values()) convertNeeds(draft, { drafts, leftOut })
  for (const draft of drafts.values()) addMentioned(draft, { drafts, leftOut })
  tellUnknownPorts([...drafts.values()])
  mistakes.throwIfAny()
  if (drafts.size === 0) throw nothingLeft(path, leftOut)

  const text = renderManifest({
    system: systemName(project, options.root),
    schema: options.schema,
    files: project.files,
    drafts: [...drafts.values()],
    leftOut,
    target: options.target ?? 'local',
    ingress: entries.ingressOr(defaults.environment.ingress),
    watch: longestWatch([...drafts.values()]),
  })
  return { text, rows: inOrder(table.rows, project), files: project.files }
}

/** All of a service that does not depend on others' ports. */
async function convertServices(
  { drafts }: Siblings,
  project: ComposeProject,
  mistakes: ComposeMistakes,
  root: string,
): Promise<void> {
  const kept = [...drafts.values()].map(({ service }) => service)
  const owners = new VolumeOwners(kept, project.top.get('volumes')?.value, mistakes)
  for (const draft of drafts.values()) {
    if (draft.name !== draft.service.name)
      draft.tell(
        'changed',
        'name',
        draft.service.at,
        `its name is \`${draft.name}\` now: whoever asks \`${draft.service.name}\` must ask that`,
      )
    convertImage(draft, root)
    await convertEnvironment(draft)
    convertCommand(draft)
    convertMounts(draft, owners)
    convertScale(draft)
    convertProcess(draft)
    tellPlainKeys(draft.service.block.entries, serviceRules, (fate, key, at, text) => {
      // Mounts, ports, images and dependencies are told one by one.
      if (!/^(?:volumes|ports|depends_on)\./.test(key)) draft.tell(fate, key, at, text)
    })
  }
}

/** What is said once, of the project as a whole. */
function tellProject(project: ComposeProject, table: ImportTable): void {
  tellPlainKeys(project.top, topLevelRules, (fate, key, at, text) => table.add(null, key, fate, at, text))
  const name = project.top.get('name')
  if (name?.value.kind === 'text') {
    const isSame = basaltName(name.value.text, '') === name.value.text
    const text = isSame ? '`system`' : '`system`, in lower case with `-`'
    table.add(null, 'name', isSame ? 'carried' : 'changed', name.key, text)
  }
  for (const [volume, { key, value }] of membersOf(project.top.get('volumes')?.value)) {
    const external = member(value, 'external')
    if (external !== undefined && textOf(external)?.text !== 'false')
      table.add(
        null,
        `volumes.${volume}`,
        'changed',
        key,
        'external: here it is a new volume, which is empty',
      )
  }
  const told = new Set<string>()
  for (const { name: variable, at, isUnset } of project.variables) {
    if (told.has(variable)) continue
    told.add(variable)
    // Where a secret is used, a row says that it is left out.
    if (isSecretVariable(variable, 'unknown')) continue
    const text = isUnset
      ? 'it is not set and has no default: it stands for nothing'
      : 'its value of now is written down: there are no variables in basalt.yaml'
    table.add(null, `\${${variable}}`, 'changed', at, text)
  }
}

/** Compose reads an override file by itself when no file is named; here one is. */
async function tellOverride(path: string, { files }: ProjectSource, table: ImportTable): Promise<void> {
  const name = basename(path).replace(/\.(ya?ml)$/, '.override.$1')
  const read = name === basename(path) ? null : await files.read(join(dirname(path), name))
  if (read?.ok === true)
    table.add(
      null,
      name,
      'dropped',
      { file: name, folder: dirname(path), line: 1, column: 1 },
      'only the file that was named is read; an override is for development',
    )
}

function systemName(project: ComposeProject, root: string): string {
  const written = project.top.get('name')?.value
  const name =
    written?.kind === 'text' && written.text !== '' ? written.text : project.lookup('COMPOSE_PROJECT_NAME')
  return basaltName(name ?? basename(root), 'system')
}

function longestWatch(drafts: readonly ServiceDraft[]): string | null {
  let longest = 0
  for (const draft of drafts) {
    const node = textOf(member(member(member(draft.service.block, 'deploy'), 'update_config'), 'monitor'))
    const ms = node === undefined ? 0 : durationMs(node.text)
    if (node === undefined || ms === null || ms > mostDurationMs) continue
    longest = Math.max(longest, ms)
    draft.tell('carried', 'deploy.update_config.monitor', node.at, '`watch` of the environment')
  }
  return longest === 0 ? null : durationText(longest)
}

function nothingLeft(path: string, leftOut: ReadonlyMap<string, string>): BasaltError {
  const reasons = [...leftOut].map(([name, reason]) => `${name}: ${reason}`)
  return new BasaltError('compose.invalid', {
    message: ['no service of the Compose project can be carried over', ...reasons.slice(0, 20)].join('\n'),
    remedy: 'Correct what is said above; docs/compose.md lists what is understood. Nothing was written.',
    details: { file: path },
  })
}

/** The project first, then service by service, each from top to bottom. */
function inOrder(rows: readonly ImportRow[], project: ComposeProject): readonly ImportRow[] {
  const order = new Map([...project.services.keys()].map((name, index) => [name, index]))
  const rank = (row: ImportRow): number => (row.service === null ? -1 : (order.get(row.service) ?? 0))
  return rows
    .map((row, index) => ({ row, index }))
    .toSorted((a, b) => rank(a.row) - rank(b.row) || a.row.line - b.row.line || a.index - b.index)
    .map(({ row }) => row)
}
