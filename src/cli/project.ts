import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { defaults } from '../config/defaults.ts'
import { dockerfileNames, impliedSystemName, isDockerfile } from '../config/implied-names.ts'
import { BasaltError } from '../errors.ts'

const manifestName = 'basalt.yaml'

export interface ScopeFlags {
  readonly file?: string | null
  readonly env?: string | null
}

/** What a command is about: members of the engine's requests. */
export interface Scope {
  /** Absolute path of basalt.yaml; null outside of any project. */
  readonly file: string | null
  readonly system: string | null
  readonly environment: string | null
}

/**
 * The manifest that a command means: the named one, else the nearest one upward, as git finds its folder; without any,
 * the folder's Dockerfile, which stands for a system of its own.
 */
export function findManifest(folder: string, named: string | null): string | null {
  if (named !== null) {
    const path = resolve(folder, named)
    const file = isFolder(path) ? manifestIn(path) : path
    if (existsSync(file)) return file
    throw manifestMissing(`there is no ${file}, or you may not look there`)
  }
  for (let place = folder; ; place = dirname(place)) {
    const file = join(place, manifestName)
    if (existsSync(file)) return file
    if (place === dirname(place)) return dockerfileIn(folder)
  }
}

/** Of this very folder: a Dockerfile further up is somebody else's. */
const dockerfileIn = (folder: string): string | null =>
  dockerfileNames.map((name) => join(folder, name)).find((file) => existsSync(file)) ?? null

function manifestIn(folder: string): string {
  const file = join(folder, manifestName)
  return existsSync(file) ? file : (dockerfileIn(folder) ?? file)
}

/** False also for what we may not look at. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

export const manifestMissing = (message: string): BasaltError =>
  new BasaltError('manifest.missing', {
    message,
    remedy:
      'Go to the folder of your system, name the file with --file, or write a first one with `basalt init`.',
  })

/** There is nothing in a folder that says what to deploy; a Compose project can be made to. */
export function nothingToDeploy(folder: string): BasaltError {
  const compose = composeFileIn(folder)
  if (compose === undefined)
    return manifestMissing(
      'there is no basalt.yaml here or in any folder above, no Dockerfile here, and no release was named',
    )
  return new BasaltError('manifest.missing', {
    message: `there is no basalt.yaml here yet, but a Compose project: ${compose}`,
    remedy: `Make basalt.yaml of it, and see what becomes of every part: basalt init --from ${compose}`,
    details: { compose: join(folder, compose) },
  })
}

export const composeFileIn = (folder: string): string | undefined =>
  composeFileNames.find((name) => existsSync(join(folder, name)))

/** In the order in which Compose looks for them. */
const composeFileNames = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml']

/**
 * The scope of a command; outside of a project only what was named. `shop/staging` names its system too. Rejects
 * with the mistakes of a basalt.yaml that names no system: null means every system, and a mistake must not. Unless
 * `isNamed`: the command says in another way which system it is about.
 */
export async function scopeOf(folder: string, flags: ScopeFlags, isNamed = false): Promise<Scope> {
  const [system, environment] = splitEnvironment(flags.env ?? null)
  const file = findManifest(folder, flags.file ?? null)
  const here = file === null ? null : await systemNameOf(file, system === null && !isNamed)
  // An environment of another system than the project's has nothing to do with the file that lies here.
  if (system !== null && system !== here) return { file: null, system, environment }
  return { file, system: here, environment }
}

function splitEnvironment(text: string | null): readonly [string | null, string | null] {
  const slash = text?.indexOf('/') ?? -1
  return text === null || slash < 0 ? [null, text] : [text.slice(0, slash), text.slice(slash + 1)]
}

/**
 * The system's name, without parsing the file where its usual form allows: parsing costs more time than the
 * rest of a short command. Mistakes in the file are left to commands that read all of it.
 */
async function systemNameOf(file: string, isNeeded: boolean): Promise<string | null> {
  if (isDockerfile(file)) return impliedSystemName(file)
  const plain = /^system:[ \t]+([a-z][a-z0-9-]*)[ \t]*(?:#.*)?$/m.exec(readText(file) ?? '')
  if (plain?.[1] !== undefined) return plain[1]
  const system = (await looseManifest(file))['system']
  if (typeof system === 'string' || !isNeeded) return typeof system === 'string' ? system : null
  const { loadManifest } = await import('../config/load-manifest.ts')
  return (await loadManifest(file)).system.name
}

/** Null for what cannot be read; whoever needs it reads it again, and tells why. */
function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

/**
 * The environment that is meant when none is named: the only one, or the first of the manifest. It is not
 * checked here, so that a rollback works while basalt.yaml has a mistake.
 */
export async function defaultEnvironment(scope: Scope): Promise<string | null> {
  if (scope.environment !== null || scope.file === null) return scope.environment
  return (await declaredNames(scope.file, 'environments'))[0] ?? defaults.environment.name
}

/** For an environment that was named and of which the server knows nothing: refused when it is not declared either. */
export async function refuseUndeclared({ file, system, environment }: Scope): Promise<void> {
  if (environment === null) return
  const written = await declaredNames(file, 'environments')
  const declared = written.length > 0 || file === null ? written : [defaults.environment.name]
  if (declared.includes(environment)) return
  throw new BasaltError('environment.unknown', {
    message: `there is no environment ${[system, environment].filter((part) => part !== null).join('/')}`,
    remedy:
      file === null
        ? 'Run `basalt status --all` to see all that were deployed to.'
        : `Declared in ${file}: ${declared.join(', ')}.`,
  })
}

/** The system of `shop@7`; null of a number or a digest. */
export const systemOfRelease = (release: string | null): string | null =>
  /^([a-z][a-z0-9-]*)@/.exec(release ?? '')?.[1] ?? null

/** Keys of a block of the manifest, unchecked; none where they cannot be read. */
export async function declaredNames(
  file: string | null,
  block: 'environments' | 'services',
): Promise<readonly string[]> {
  const names = file === null ? null : (await looseManifest(file))[block]
  return typeof names === 'object' && names !== null ? Object.keys(names) : []
}

async function looseManifest(file: string): Promise<Readonly<Record<string, unknown>>> {
  if (isDockerfile(file)) return {}
  // A CommonJS package in a bundle has its exports in `default` only.
  const { parse } = (await import('yaml')).default
  try {
    const parsed: unknown = parse(readText(file) ?? '')
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
