import { servingGeneration } from '../core/environment-state.ts'
import type { InstanceId } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'
import type { Target } from '../targets/target.ts'
import { mergeStreams } from '../util/merge-streams.ts'
import type { LogsRequest, ServiceLogLine } from './engine.ts'
import { findEnvironment, targetNamed } from './find-environment.ts'
import type { EnginePorts } from './ports.ts'

/** What the instances of the serving generation (or of the running deployment) wrote, merged as it comes. */
export async function* logs(ports: EnginePorts, request: LogsRequest, op: Op): AsyncIterable<ServiceLogLine> {
  const { id } = await findEnvironment(ports, { ...request, file: null })
  const state = ports.journal.environment(id)
  const generations = [servingGeneration(state), state.deployment?.to ?? null].filter((one) => one !== null)
  const services = [...new Set(generations.flatMap(({ groups }) => groups.map(({ service }) => service)))]
  const { service: wanted } = request
  if (wanted !== null && !services.includes(wanted))
    throw new BasaltError('service.unknown', {
      message: `${id} runs no service ${wanted}`,
      remedy: services.length === 0 ? 'Nothing runs there.' : `It runs: ${services.join(', ')}.`,
    })
  const groups = new Set(
    generations.flatMap(({ groups: all }) =>
      all.filter(({ service }) => service === (wanted ?? service)).map((group) => group.id),
    ),
  )
  const target = targetNamed(ports, generations[0]?.binding.target ?? '')
  const observation = await target.observe(id, op)
  const streams = observation.groups
    .filter((group) => groups.has(group.id))
    .flatMap(({ service, instances }) =>
      instances.map((instance) => instanceLines(target, service, instance.id, request, op)),
    )
  yield* mergeStreams(streams)
}

async function* instanceLines(
  target: Target,
  service: string,
  instance: InstanceId,
  { follow, tail }: LogsRequest,
  op: Op,
): AsyncGenerator<ServiceLogLine> {
  const lines = target.logs?.(instance, { follow, tail }, op)
  if (lines === undefined) return
  for await (const line of lines) yield { ...line, service, instance }
}
