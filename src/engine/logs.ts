import { setTimeout as sleep } from 'node:timers/promises'
import { servingGeneration } from '../core/environment-state.ts'
import type { Generation } from '../core/generation.ts'
import { type EnvironmentId, type InstanceId, serviceOf } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'
import type { LogOptions, Target } from '../targets/target.ts'
import { mergeStreams } from '../util/merge-streams.ts'
import type { LogsRequest, ServiceLogLine } from './engine.ts'
import { targetsEverOf } from './environment-target.ts'
import { findEnvironment, targetNamed } from './find-environment.ts'
import type { EnginePorts } from './ports.ts'

/** How often instances are looked for while they are followed. */
const lookAgainMs = 500

type Lines = AsyncIterable<ServiceLogLine>

/**
 * What the instances of the serving generation (and of the running deployment) wrote, merged as it comes; followed,
 * also those that come later, until nothing runs any more. Or what those wrote that are gone.
 */
export async function* logs(ports: EnginePorts, request: LogsRequest, op: Op): Lines {
  const { id } = await findEnvironment(ports, { ...request, file: null })
  const find = request.previous ? goneInstances : runningInstances
  yield* mergeStreams(find(ports, id, request, op), op.signal)
}

async function* runningInstances(
  ports: EnginePorts,
  id: EnvironmentId,
  { service: wanted, follow, tail }: LogsRequest,
  op: Op,
): AsyncGenerator<Lines> {
  const known = new Set<InstanceId>()
  let generations = runningGenerations(ports, id)
  assertRuns(id, generations, wanted)
  for (let options: LogOptions = { follow, tail }; ; options = { follow, tail: null }) {
    for (const { target, service, instance } of await instancesOf(ports, id, generations, op)) {
      if (known.has(instance) || service !== (wanted ?? service)) continue
      known.add(instance)
      yield linesOf(target, service, instance, options, op)
    }
    if (!follow || generations.length === 0) return
    await sleep(lookAgainMs, undefined, { signal: op.signal }).catch(() => {})
    if (op.signal.aborted) return
    generations = runningGenerations(ports, id)
  }
}

/** Of each service the newest one that is gone and whose log is kept. */
async function* goneInstances(
  ports: EnginePorts,
  id: EnvironmentId,
  { service: wanted, tail }: LogsRequest,
  op: Op,
): AsyncGenerator<Lines> {
  const attempts = [...ports.journal.view.attempts.values()].filter(({ environment }) => environment === id)
  const groups = [...new Set(attempts.toReversed().flatMap(({ started }) => started))]
  const told = new Set<string>()
  for (const target of targetsEverOf(ports, id)) {
    const observation = await target.observe(id, op)
    const present = new Set(observation.groups.flatMap(({ instances }) => instances.map((one) => one.id)))
    for (const group of groups) {
      const service = serviceOf(group)
      if (told.has(service) || service !== (wanted ?? service)) continue
      const kept = (await target.logged?.(group, op)) ?? []
      const newest = kept.findLast((instance) => !present.has(instance))
      if (newest === undefined) continue
      told.add(service)
      yield linesOf(target, service, newest, { follow: false, tail }, op)
    }
  }
  if (told.size === 0)
    throw new BasaltError('service.unknown', {
      message: `no log is kept of an instance of ${wanted === null ? id : `${wanted} in ${id}`} that is gone`,
      remedy: 'See what those that run wrote: basalt logs. See what was tried: basalt history.',
    })
}

const runningGenerations = ({ journal }: EnginePorts, id: EnvironmentId): readonly Generation[] => {
  const state = journal.environment(id)
  return [servingGeneration(state), state.deployment?.to ?? null].filter((one) => one !== null)
}

function assertRuns(id: EnvironmentId, generations: readonly Generation[], wanted: string | null): void {
  const services = [...new Set(generations.flatMap(({ groups }) => groups.map(({ service }) => service)))]
  if (wanted === null ? services.length > 0 : services.includes(wanted)) return
  throw new BasaltError('service.unknown', {
    message:
      wanted === null || services.length === 0 ? `nothing runs in ${id}` : `${id} runs no service ${wanted}`,
    remedy:
      services.length === 0
        ? `See what its last instances wrote: basalt logs --previous -e ${id}`
        : `It runs: ${services.join(', ')}.`,
  })
}

async function instancesOf(
  ports: EnginePorts,
  id: EnvironmentId,
  generations: readonly Generation[],
  op: Op,
): Promise<readonly { target: Target; service: string; instance: InstanceId }[]> {
  const wanted = new Set(generations.flatMap(({ groups }) => groups.map((group) => group.id)))
  const targets = new Set(generations.map(({ binding }) => targetNamed(ports, binding.target)))
  const found = await Promise.all(
    [...targets].map(async (target) =>
      (await target.observe(id, op)).groups
        .filter((group) => wanted.has(group.id))
        .flatMap(({ service, instances }) => instances.map((one) => ({ target, service, instance: one.id }))),
    ),
  )
  return found.flat()
}

async function* linesOf(
  target: Target,
  service: string,
  instance: InstanceId,
  options: LogOptions,
  op: Op,
): Lines {
  for await (const line of target.logs?.(instance, options, op) ?? []) yield { ...line, service, instance }
}
