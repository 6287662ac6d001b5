import { existsSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { BasaltError } from '../errors.ts'
import { type ComposeImport, importCompose } from './compose/import-compose.ts'
import type { ProjectSource } from './compose/load/load-project.ts'
import { defaults } from './defaults.ts'
import type { DetectedApp } from './init/detected-app.ts'
import { findApps } from './init/find-apps.ts'
import { type ProposedPlace, type ProposedService, renderProposal } from './init/render-proposal.ts'
import { staticSite } from './init/static-app.ts'
import { manifestFileName } from './load-manifest.ts'
import { systemNameFor } from './system-name.ts'

export interface Proposal {
  /** A valid manifest. */
  readonly text: string
  /** What the reader has to check or do before it runs. */
  readonly notes: readonly string[]
}

export interface ProposalOptions {
  /** Path or URL of the JSON Schema, for editors; without it the one that came with this Basalt. */
  readonly schema?: string
  /** Where what has a Dockerfile, or comes from Compose, is to run; without it on `local`. */
  readonly target?: 'docker' | 'local'
}

/**
 * Looks at a folder and proposes its first basalt.yaml. Writes nothing.
 *
 * @throws BasaltError `request.invalid` when it is no folder or cannot be read
 */
export async function proposeManifest(folder: string, options: ProposalOptions = {}): Promise<Proposal> {
  const names = await readdir(folder).catch((cause: unknown): never => {
    throw notReadable(folder, cause)
  })
  const found = await findApps(folder)
  const apps = found.length > 0 ? found : [emptyFolderApp]
  const services = nameServices(apps, systemNameFor(basename(resolve(folder))))
  const notes = [
    ...(found.length === 0
      ? ['no application was recognised here; the proposal serves files from public/']
      : []),
    ...foreignFiles(names),
    ...services.flatMap(({ name, app }) => app.notes.map((note) => `${name}: ${note}`)),
  ]
  const system = systemNameFor(basename(resolve(folder)))
  const schema = options.schema ?? publishedSchema(folder)
  return { text: renderProposal(system, services, placeOf(services, options.target), schema), notes }
}

/**
 * Proposes and writes basalt.yaml. An existing one is never overwritten.
 *
 * @throws BasaltError `request.invalid` when there is one already, or it cannot be written
 */
export async function initManifest(
  folder: string,
  options: ProposalOptions = {},
): Promise<Proposal & { readonly file: string }> {
  const proposal = await proposeManifest(folder, options)
  return { ...proposal, file: await writeManifest(folder, proposal.text) }
}

export interface ComposeProposal extends ComposeImport {
  /** Null: nothing was written. */
  readonly file: string | null
}

/**
 * Imports a Compose file into the basalt.yaml of a folder. An existing one is never overwritten.
 *
 * @throws BasaltError as `importCompose` does, and as `initManifest`
 */
export async function initFromCompose(
  composeFile: string,
  folder: string,
  source: ProjectSource,
  options: ProposalOptions & { readonly dryRun: boolean },
): Promise<ComposeProposal> {
  const schema = options.schema ?? publishedSchema(folder)
  const imported = await importCompose(composeFile, source, {
    root: folder,
    schema,
    target: options.target ?? 'local',
  })
  return { ...imported, file: options.dryRun ? null : await writeManifest(folder, imported.text) }
}

async function writeManifest(folder: string, text: string): Promise<string> {
  const file = join(folder, manifestFileName)
  try {
    await writeFile(file, text, { flag: 'wx' })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw notWritten(file, cause)
    throw new BasaltError('request.invalid', {
      message: `${file} exists already`,
      remedy: 'Check it with `basalt validate`, or remove it first.',
      cause,
    })
  }
  return file
}

function notReadable(path: string, cause: unknown): BasaltError {
  const { code, message } = cause as NodeJS.ErrnoException
  const facts: Readonly<Record<string, string>> = {
    ENOENT: `there is no folder ${path}`,
    ENOTDIR: `${path} is not a folder`,
  }
  return new BasaltError('request.invalid', {
    message: facts[code ?? ''] ?? `${path} cannot be read: ${message}`,
    remedy: 'Name the folder of your system: `basalt init <folder>`.',
    details: { path },
    cause,
  })
}

const notWritten = (file: string, cause: unknown): BasaltError =>
  new BasaltError('request.invalid', {
    message: `${file} cannot be written: ${(cause as Error).message}`,
    remedy: 'Look at the proposal with `basalt init --dry-run`, and write it where you may.',
    details: { file },
    cause,
  })

/** A Dockerfile alone stands for the same, so that writing it down moves nothing. */
function placeOf(
  services: readonly ProposedService[],
  target: ProposalOptions['target'] = 'local',
): ProposedPlace {
  const isBuilt = services.some(({ app }) => app.build === 'dockerfile')
  const [only] = services.length === 1 ? services : []
  const ingress = only !== undefined && isBuilt ? only.app.port : defaults.environment.ingress
  return { target: isBuilt ? target : 'local', ingress }
}

const emptyFolderApp: DetectedApp = staticSite('.', 'public', ['put an index.html into public/'])

const doorNames = ['web', 'www', 'frontend', 'site', 'app', 'ui', 'gateway', 'proxy']

/** Each app gets a name of its own; the one that people most likely open in a browser is exposed. */
function nameServices(apps: readonly DetectedApp[], systemName: string): readonly ProposedService[] {
  const taken = new Set<string>()
  const named = apps.map((app) => {
    const wanted =
      app.folder === '.'
        ? systemName === 'system'
          ? 'web'
          : systemName
        : systemNameFor(basename(app.folder))
    let name = wanted
    for (let number = 2; taken.has(name); number++) name = `${wanted.slice(0, 36)}-${number}`
    taken.add(name)
    return { name, app }
  })
  const door = doorNames.find((name) => taken.has(name)) ?? named[0]?.name
  return named.map((service) => ({ ...service, exposed: service.name === door }))
}

function foreignFiles(names: readonly string[]): readonly string[] {
  const notes: string[] = []
  const compose = names.find((name) => /^(?:docker-)?compose\.ya?ml$/.test(name))
  if (compose !== undefined)
    notes.push(`${compose} is not read: \`basalt init --from ${compose}\` imports it`)
  return notes
}

/** From the sources and from the bundle alike, the package's folder is found by the schema that it contains. */
function publishedSchema(folder: string): string {
  for (const up of ['..', '../..', '../../..']) {
    const home = resolve(import.meta.dirname, up)
    const file = join(home, 'schema', 'basalt.schema.json')
    if (!existsSync(file)) continue
    const near = relative(resolve(folder), file)
    const together = !near.startsWith('..') || !relative(home, resolve(folder)).startsWith('..')
    return together ? near : file
  }
  return 'basalt.schema.json'
}
