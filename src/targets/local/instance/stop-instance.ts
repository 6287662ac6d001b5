import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import type { LocalContext } from '../local-context.ts'
import { confirmAlive, noteStarted } from './follow-instance.ts'
import { changed, type Instance, isAlive, waitFor } from './instance.ts'
import { removeContainer, removeInstance } from './remove-instance.ts'
import { signalProcess } from './signal-process.ts'
import { leaveTraffic } from './traffic.ts'

const startingMs = 3000
const killedMs = 5000
const pollMs = 250

/** Takes an instance out of traffic, lets requests in flight finish, ends and removes it. */
export async function stopInstance(context: LocalContext, instance: Instance, op: Op): Promise<void> {
  const { group } = instance.record
  instance.stopping = true
  const leftMs = op.deadline === undefined ? group.run.stop.graceMs : op.deadline - Date.now()
  const drainMs = isAlive(instance) ? Math.max(0, Math.min(group.run.stop.graceMs, leftMs)) : 0
  await leaveTraffic(context, instance, drainMs, op)
  await endInstance(context, instance, group.run.stop.signal, group.run.stop.graceMs)
  await removeInstance(context, instance)
}

/** Ends an instance at once and removes it. */
export async function discardInstance(context: LocalContext, instance: Instance): Promise<void> {
  instance.stopping = true
  await leaveTraffic(context, instance, 0, { signal: new AbortController().signal })
  await endInstance(context, instance, 'SIGKILL', killedMs)
  await removeInstance(context, instance)
}

/** Signal, patience, SIGKILL. */
async function endInstance(
  context: LocalContext,
  instance: Instance,
  signal: string,
  graceMs: number,
): Promise<void> {
  await confirmAlive(context, instance)
  if (!instance.launched) instance.end ??= { exitCode: null, at: context.now() }
  if (!isAlive(instance)) return
  if (instance.record.process === null) await untilStarted(context, instance)
  if (await ends(context, instance, signal, graceMs)) return
  if (await ends(context, instance, 'SIGKILL', killedMs)) return
  // The keeper is gone, or never came to start anything.
  await confirmAlive(context, instance)
  await removeContainer(context, instance.id)
  if (instance.record.process === null) instance.end ??= { exitCode: null, at: context.now() }
  if (isAlive(instance)) throw stuck(instance)
}

/** Between the keeper's start and the runtime's answer there is nothing yet that could get a signal. */
async function untilStarted(context: LocalContext, instance: Instance): Promise<void> {
  await noteStarted(context, instance)
  const look = () => (instance.record.process !== null || !isAlive(instance) ? true : undefined)
  await waitFor(instance, AbortSignal.timeout(startingMs), look).catch(() => {})
}

async function ends(
  context: LocalContext,
  instance: Instance,
  signal: string,
  waitMs: number,
): Promise<boolean> {
  const { process } = instance.record
  if (!isAlive(instance)) return true
  if (process === null) return false
  await signalProcess(process, signal)
  // Where the keeper was killed nobody tells of the end.
  const poll = setInterval(() => void confirmAlive(context, instance), pollMs)
  const over = AbortSignal.timeout(waitMs)
  return waitFor(instance, over, () => (isAlive(instance) ? undefined : true))
    .catch(() => false)
    .finally(() => clearInterval(poll))
}

function stuck(instance: Instance): BasaltError {
  changed(instance)
  return new BasaltError('runtime.failed', {
    message: `${instance.id} (process ${instance.record.process?.pid}) does not end, not even by SIGKILL`,
    remedy: 'It waits inside the kernel, most often for a disk. Stop it again when that answers.',
  })
}
