import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { GroupSpec } from '../../../core/generation.ts'
import { BasaltError } from '../../../errors.ts'
import type { OciConfig } from '../bundle/oci-config.ts'
import { endText, type Instance } from '../instance/instance.ts'
import { lastLines } from '../log/log-tail.ts'
import { findProgram } from './find-program.ts'

const shownLines = 10

/** An instance ended before it was healthy. */
export async function diedError(group: GroupSpec, instance: Instance): Promise<BasaltError> {
  const end = instance.end ?? { exitCode: null, at: instance.record.startedAt }
  const runtimeSaid = await runtimeMessage(instance.paths.runtimeLog)
  if (runtimeSaid !== null) return neverRan(group, instance, runtimeSaid)
  const lines = await lastLines(instance.paths.log, shownLines)
  return new BasaltError('group.died', {
    message: `an instance of ${group.service} ${endText(instance.record.startedAt, end)}`,
    remedy: `${end.exitCode === 0 ? 'A service must stay in the foreground. ' : ''}See all that it wrote: ${logsCommand(group)}`,
    details: details(group, instance, lines),
  })
}

export async function unhealthyError(
  group: GroupSpec,
  instance: Instance,
  unhealthy: number,
  afterMs: number,
): Promise<BasaltError> {
  const lines = await lastLines(instance.paths.log, shownLines)
  const problem = instance.health?.current().problem ?? 'no check was answered yet'
  const count = `${unhealthy} of ${group.replicas} instances of ${group.service}`
  return new BasaltError('group.unhealthy', {
    message: `${count} unhealthy after ${Math.round(afterMs / 100) / 10} s: ${problem}`,
    remedy: `Its health check is \`health\` in basalt.yaml. See all that it wrote: ${logsCommand(group)}`,
    details: details(group, instance, lines),
  })
}

/** The runtime says it in words of its own; whether the program is there is asked from the root itself. */
function neverRan(group: GroupSpec, instance: Instance, said: string): BasaltError {
  const { args, env, cwd } = instanceProcess(instance)
  const [program = ''] = args
  if (findProgram(instance.record.rootPath, program, env, cwd) === null)
    return new BasaltError('group.died', {
      message: `${group.service} cannot run ${program}: its image has no such executable file`,
      remedy: 'Check `command` in basalt.yaml and the files of the image.',
      details: details(group, instance, [said]),
    })
  return new BasaltError('runtime.failed', {
    message: `the container runtime could not start ${group.service}: ${said}`,
    remedy: 'See what the machine has: `basalt doctor`.',
    details: details(group, instance, [said]),
  })
}

/** Its instances have ended by the time that this is read. */
const logsCommand = ({ service, environment }: GroupSpec): string =>
  `basalt logs ${service} --previous -e ${environment}`

const details = (group: GroupSpec, instance: Instance, lastLogLines: readonly string[]) => ({
  group: group.id,
  service: group.service,
  instance: instance.id,
  lastLogLines,
})

function instanceProcess({ paths }: Instance): OciConfig['process'] {
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
