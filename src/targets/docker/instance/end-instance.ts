import { BasaltError } from '../../../errors.ts'
import { isAlive, waitFor } from '../../host/instance/instance.ts'
import { killedMs } from '../../host/instance/stop-instance.ts'
import type { DockerContext } from '../docker-context.ts'
import { confirmAlive } from './confirm-alive.ts'
import type { DockerInstance } from './docker-instance.ts'

/** The Engine tells of an end by itself; asking is for when that got lost. */
const pollMs = 500

/** Signal, patience, SIGKILL. */
export async function endInstance(
  context: DockerContext,
  instance: DockerInstance,
  signal: string,
  graceMs: number,
): Promise<void> {
  await confirmAlive(context, [instance])
  if (!instance.started) instance.end ??= { exitCode: null, at: context.now() }
  if (!isAlive(instance)) return
  if (await ends(context, instance, signal, graceMs)) return
  if (await ends(context, instance, 'SIGKILL', killedMs)) return
  throw new BasaltError('runtime.failed', {
    message: `${instance.id} (container ${instance.container?.slice(0, 12)}) does not end, not even by SIGKILL`,
    remedy: 'It waits inside the kernel, most often for a disk. Stop it again when that answers.',
  })
}

async function ends(
  context: DockerContext,
  instance: DockerInstance,
  signal: string,
  waitMs: number,
): Promise<boolean> {
  await context.engine.kill(instance.container ?? '', signal)
  const poll = setInterval(() => void confirmAlive(context, [instance]).catch(() => {}), pollMs)
  return waitFor(instance, AbortSignal.timeout(waitMs), () => (isAlive(instance) ? undefined : true))
    .catch(() => false)
    .finally(() => clearInterval(poll))
}
