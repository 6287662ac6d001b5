import { BasaltError } from '../../../errors.ts'
import { changed, isAlive, waitFor } from '../../host/instance/instance.ts'
import { killedMs } from '../../host/instance/stop-instance.ts'
import type { LocalContext } from '../local-context.ts'
import { confirmAlive, noteStarted } from './follow-instance.ts'
import type { LocalInstance } from './local-instance.ts'
import { removeContainer } from './remove-instance.ts'
import { signalProcess } from './signal-process.ts'

const startingMs = 3000
const pollMs = 250

/** Signal, patience, SIGKILL. */
export async function endInstance(
  context: LocalContext,
  instance: LocalInstance,
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
async function untilStarted(context: LocalContext, instance: LocalInstance): Promise<void> {
  await noteStarted(context, instance)
  const look = () => (instance.record.process !== null || !isAlive(instance) ? true : undefined)
  await waitFor(instance, AbortSignal.timeout(startingMs), look).catch(() => {})
}

async function ends(
  context: LocalContext,
  instance: LocalInstance,
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

function stuck(instance: LocalInstance): BasaltError {
  changed(instance)
  return new BasaltError('runtime.failed', {
    message: `${instance.id} (process ${instance.record.process?.pid}) does not end, not even by SIGKILL`,
    remedy: 'It waits inside the kernel, most often for a disk. Stop it again when that answers.',
  })
}
