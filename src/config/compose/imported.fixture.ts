import { parse } from 'yaml'
import { BasaltError } from '../../errors.ts'
import { parseManifest } from '../parse-manifest.ts'
import type { Problem } from '../problem-list.ts'
import { importCompose } from './import-compose.ts'
import type { ImportRow } from './import-table.ts'
import type { ComposeFiles } from './load/compose-files.ts'

/** The manifest as data; every value is what a test compares. */
interface ImportedManifest {
  readonly system: string
  readonly services: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly environments: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export interface Imported extends ImportedManifest {
  readonly text: string
  readonly rows: readonly ImportRow[]
  /** `fate key: text` of each row of a service; null: of the project. */
  readonly told: (service: string | null) => readonly string[]
}

export const root = '/project/shop'

/** Files by their path below /project/shop. */
export const filesOf = (files: Readonly<Record<string, string>>): ComposeFiles => ({
  read: async (path) => {
    const text = files[path.replace(`${root}/`, '')]
    return text === undefined ? { ok: false, fact: 'does not exist', isAbsent: true } : { ok: true, text }
  },
})

/** Imports compose.yaml, and reads what came out with the parser that it must satisfy. */
export async function imported(
  compose: string,
  files: Readonly<Record<string, string>> = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<Imported> {
  const source = {
    files: filesOf({ 'compose.yaml': compose, ...files }),
    environment: (name: string) => (Object.hasOwn(environment, name) ? environment[name] : undefined),
    folder: root,
  }
  const { text, rows } = await importCompose(`${root}/compose.yaml`, source, { root, schema: 'schema.json' })
  parseManifest(text, 'basalt.yaml')
  return {
    ...(parse(text, { schema: 'core' }) as ImportedManifest),
    text,
    rows,
    told: (service) =>
      rows.filter((row) => row.service === service).map(({ fate, key, text }) => `${fate} ${key}: ${text}`),
  }
}

/** One service `a` of image `app:1` with these lines. */
export async function importedService(
  lines: string,
  files: Readonly<Record<string, string>> = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly service: Readonly<Record<string, unknown>>; readonly told: readonly string[] }> {
  const indented = lines.replaceAll(/^(?=.)/gm, '    ')
  const { services, told } = await imported(
    `services:\n  a:\n    image: app:1\n${indented}\n`,
    files,
    environment,
  )
  return { service: services['a'] ?? {}, told: told('a') }
}

/** The mistakes that an import is refused for, as `file:line:column: fact. Remedy`. */
export async function mistakesOf(
  compose: string,
  files: Readonly<Record<string, string>> = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  try {
    await imported(compose, files, environment)
    return []
  } catch (error) {
    if (!(error instanceof BasaltError) || error.code !== 'compose.invalid') throw error
    const problems = error.details['problems'] as readonly Problem[]
    return problems.map(
      ({ file, line, column, message, remedy }) => `${file}:${line}:${column}: ${message}. ${remedy}`,
    )
  }
}
