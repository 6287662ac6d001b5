import type { GroupSpec } from '../../../core/generation.ts'
import { BasaltError } from '../../../errors.ts'
import { endText, type Instance } from '../instance/instance.ts'
import type { InstanceDriver } from '../instance-context.ts'
import { rightsHint } from './rights-hint.ts'

const shownLines = 20
/** A refusal may stand far above the last line: under it a whole stack was printed, or other threads went on. */
const readLines = 60

/** An instance ended before it was healthy. */
export async function diedError<I extends Instance>(
  driver: InstanceDriver<I>,
  group: GroupSpec,
  instance: I,
): Promise<BasaltError> {
  const end = instance.end ?? { exitCode: null, at: instance.record.startedAt }
  const neverRan = await driver.neverRan(instance)
  if (neverRan !== null) return neverRan
  const lines = await driver.lastLines(instance, readLines)
  return new BasaltError('group.died', {
    message: `an instance of ${group.service} ${endText(instance.record.startedAt, end)}`,
    remedy: remedy(group, lines, end.exitCode === 0 ? 'A service must stay in the foreground. ' : ''),
    details: details(instance, lines),
  })
}

export async function unhealthyError<I extends Instance>(
  driver: InstanceDriver<I>,
  group: GroupSpec,
  instance: I,
  unhealthy: number,
  afterMs: number,
): Promise<BasaltError> {
  const lines = await driver.lastLines(instance, readLines)
  const problem = instance.health?.current().problem ?? 'no check was answered yet'
  const count = `${unhealthy} of ${group.replicas} instances of ${group.service}`
  return new BasaltError('group.unhealthy', {
    message: `${count} unhealthy after ${Math.round(afterMs / 100) / 10} s: ${problem}`,
    remedy: remedy(group, lines, `${healthRemedy(problem)}\n`),
    details: details(instance, lines),
  })
}

/** The runtime refused to run the command, in words of its own; `isThere` says whether the image has the program. */
export function neverRanError(
  instance: Instance,
  program: string,
  isThere: boolean,
  said: string,
): BasaltError {
  const { service } = instance.record.group
  if (!isThere)
    return new BasaltError('group.died', {
      message: `${service} cannot run ${program}: its image has no such executable file`,
      remedy: 'Check `command` in basalt.yaml and the files of the image.',
      details: details(instance, [said]),
    })
  return new BasaltError('runtime.failed', {
    message: `the container runtime could not start ${service}: ${said}`,
    remedy: 'See what the machine has: `basalt doctor`.',
    details: details(instance, [said]),
  })
}

/** An API may have nothing at `/`, and says so. */
const healthRemedy = (problem: string): string =>
  /^GET \S+ gave [234]\d\d/.test(problem)
    ? 'It answers: declare as `health` in basalt.yaml a path that answers with 200, or `{ tcp: <port> }` where a connection is enough (`basalt init` writes a first basalt.yaml).'
    : 'Its health check is `health` in basalt.yaml.'

function remedy(group: GroupSpec, lines: readonly string[], before: string): string {
  const hint = rightsHint(group.service, lines)
  return `${hint === null ? '' : `${hint}\n`}${before}See all that it wrote: ${logsCommand(group)}`
}

/** Its instances have ended by the time that this is read. */
const logsCommand = ({ service, environment }: GroupSpec): string =>
  `basalt logs ${service} --previous -e ${environment}`

const details = ({ id, record: { group } }: Instance, lastLogLines: readonly string[]) => ({
  group: group.id,
  service: group.service,
  instance: id,
  lastLogLines: lastLogLines.slice(-shownLines),
})
