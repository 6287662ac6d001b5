import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { BasaltError } from '../../../errors.ts'
import { neverRanError } from '../../host/group/start-problem.ts'
import type { OciConfig } from '../bundle/oci-config.ts'
import { findProgram } from '../group/find-program.ts'
import type { LocalInstance } from './local-instance.ts'

/** The runtime says it in words of its own; whether the program is there is asked from the root itself. */
export async function neverRan(instance: LocalInstance): Promise<BasaltError | null> {
  const said = await runtimeMessage(instance.paths.runtimeLog)
  if (said === null) return null
  const { args, env, cwd } = instanceProcess(instance)
  const [program = ''] = args
  const isThere = findProgram(instance.record.rootPath, program, env, cwd) !== null
  return neverRanError(instance, program, isThere, said)
}

function instanceProcess({ paths }: LocalInstance): OciConfig['process'] {
  return (JSON.parse(readFileSync(paths.config, 'utf8')) as OciConfig).process
}

/** Null where the runtime had nothing to say, which means that the command ran. */
async function runtimeMessage(path: string): Promise<string | null> {
  const text = (await readFile(path, 'utf8').catch(() => '')).trim()
  if (text === '') return null
  const lastLine = text.split('\n').at(-1) ?? ''
  // crun: "<time>: message"; runc: `time="…" level=error msg="…"`
  return /msg="((?:[^"\\]|\\.)*)"/.exec(lastLine)?.[1] ?? lastLine.replace(/^\d{4}-[\d-]+T[\d:.]+Z: /, '')
}
