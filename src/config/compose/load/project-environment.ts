import { join } from 'node:path'
import type { ComposeMistakes } from '../compose-mistakes.ts'
import type { ComposePlace } from '../compose-node.ts'
import type { ComposeFiles } from './compose-files.ts'
import type { Lookup } from './interpolate.ts'
import { parseDotenv } from './parse-dotenv.ts'

/**
 * Variables for a project: those of `outer` first (the shell, or the project that includes this one), then the
 * environment files, later ones over earlier ones; without any named, the `.env` of the folder when there is one.
 */
export async function projectLookup(
  folder: string,
  named: readonly { readonly path: string; readonly at: ComposePlace }[] | null,
  outer: Lookup,
  files: ComposeFiles,
  show: (path: string) => string,
  mistakes: ComposeMistakes,
): Promise<Lookup> {
  const own = new Map<string, string>()
  const lookup: Lookup = (name) => outer(name) ?? own.get(name)
  for (const { path, at } of named ?? [{ path: join(folder, '.env'), at: null }]) {
    const read = await files.read(path)
    if (!read.ok) {
      if (at !== null) mistakes.report(at, `${show(path)} ${read.fact}`, 'Name a file of `NAME=value` lines.')
      else if (!read.isAbsent)
        mistakes.report(
          { file: show(path), line: 1, column: 1 },
          `the file ${read.fact}`,
          'Make it a file of `NAME=value` lines, or remove it.',
        )
      continue
    }
    const { variables, faults } = parseDotenv(read.text, lookup)
    for (const { line, fact, remedy } of faults)
      mistakes.report({ file: show(path), line, column: 1 }, fact, remedy)
    for (const { name, value } of variables) if (value !== null) own.set(name, value)
  }
  return lookup
}
