import { readdirSync, readFileSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { InstanceId } from '../../../core/ids.ts'
import { isRunning } from '../../../util/process-identity.ts'
import { finish, followHealth } from '../../host/instance/follow-health.ts'
import type { LocalContext } from '../local-context.ts'
import { noteStarted, readEnd } from './follow-instance.ts'
import { readRecord } from './instance-record.ts'
import { createLocalInstance, type LocalInstance } from './local-instance.ts'
import { removeContainer } from './remove-instance.ts'

/** A keeper that was spawned right before its server died needs a moment until the runtime says more. */
const keeperMs = 3000

/**
 * Takes over what an earlier server left: goes on with what runs, keeps what ended for `start` or `stop` to
 * replace or remove, and removes what was half-made.
 */
export async function adoptInstances(context: LocalContext): Promise<void> {
  const names = await readdir(context.paths.instances).catch(() => [])
  // The router's own adoption takes as long and is waited for next; a failure of it is told to whoever asks.
  if (names.length > 0) context.router.members({ signal: new AbortController().signal }).catch(() => {})
  await Promise.all(names.map((name) => adopt(context, name as InstanceId)))
  const known = [...context.instances.values()]
  // Namespaces and containers are removed by name, which takes a while and is in nobody's way.
  const inUse = new Set(known.map(({ record }) => record.namespace))
  const states = await readdir(context.paths.runtimeState).catch(() => [])
  const orphans = states.filter((id) => !id.startsWith('.') && !context.instances.has(id as InstanceId))
  await Promise.all([context.network.pool.adopt(inUse), ...orphans.map((id) => removeContainer(context, id))])
}

async function adopt(context: LocalContext, id: InstanceId): Promise<void> {
  const paths = context.paths.instance(id)
  const record = readRecord(paths.record)
  // Nothing of an instance exists before its record does.
  if (record === null) return rm(paths.folder, { recursive: true, force: true })
  const instance = createLocalInstance(record, paths, true)
  context.instances.set(id, instance)
  context.groups.set(record.group.id, record.group)
  if (record.process === null) return adoptUnfinished(context, instance)
  if (await isRunning(record.process)) return followHealth(context, instance)
  finish(context, instance, (await readEnd(instance)) ?? { exitCode: null, at: context.now() })
}

async function adoptUnfinished(context: LocalContext, instance: LocalInstance): Promise<void> {
  await noteStarted(context, instance)
  if (instance.record.process !== null) return
  const end = await readEnd(instance)
  if (end !== null) return finish(context, instance, end)
  if (!keeperRuns(instance)) return finish(context, instance, { exitCode: null, at: context.now() })
  const timer = setTimeout(() => {
    if (instance.record.process === null) finish(context, instance, { exitCode: null, at: context.now() })
  }, keeperMs)
  timer.unref()
}

/** The keeper is told by its script, which only its shell has as argument. */
function keeperRuns({ paths }: LocalInstance): boolean {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.some((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(paths.keeper)
    } catch {
      return false
    }
  })
}

/** Files in the events folder whose instance is gone. */
export async function removeStrayEvents({ paths, instances }: LocalContext): Promise<void> {
  for (const file of await readdir(paths.events).catch(() => [])) {
    const id = file.slice(0, file.lastIndexOf('.')).replace(/\.exit$/, '')
    if (!instances.has(id as InstanceId)) await rm(join(paths.events, file), { force: true })
  }
}
