import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { watchHealth } from '../health/health-watch.ts'
import { probeOf } from '../health/probe.ts'
import type { InstanceContext } from '../instance-context.ts'
import { changed, type Instance, type InstanceEnd } from './instance.ts'
import { followTraffic, leaveTraffic } from './traffic.ts'

const unlimited = (): Op => ({ signal: new AbortController().signal })

/** Asks an instance for its health from now on, and gives it traffic accordingly. */
export function followHealth<I extends Instance>(context: InstanceContext<I>, instance: I): void {
  const { group, address, startedAt, provenHealthy } = instance.record
  const { driver, now } = context
  const since = performance.now()
  const ageBefore = Math.max(0, now() - startedAt)
  instance.health = watchHealth({
    check: group.run.health,
    probe: probeOf(group.run.health, address, (command, timeoutMs) =>
      driver.runInside(instance, command, timeoutMs),
    ),
    now,
    ageMs: () => ageBefore + performance.now() - since,
    provenHealthy,
    onChange: ({ state }) => {
      if (state === 'healthy' && !instance.stopping && !instance.record.provenHealthy)
        driver.noteHealthy(instance)
      if (!instance.stopping)
        followTraffic(context, instance, unlimited()).catch((cause: unknown) =>
          tell(context, instance, cause),
        )
      changed(instance)
    },
  })
}

/** Notes that an instance ended. One that nobody stops is told to whoever listens. */
export function finish<I extends Instance>(context: InstanceContext<I>, instance: I, end: InstanceEnd): void {
  if (instance.end !== null) return
  instance.end = end
  instance.health?.stop()
  changed(instance)
  if (instance.stopping) return
  leaveTraffic(context, instance, 0, unlimited()).catch((cause: unknown) => tell(context, instance, cause))
  for (const listener of context.exitListeners) listener(instance.id)
}

export const tell = <I extends Instance>(
  context: Pick<InstanceContext<I>, 'report'>,
  { id }: I,
  cause: unknown,
): void =>
  context.report(
    cause instanceof BasaltError
      ? cause
      : new BasaltError('runtime.failed', { message: `${id}: ${(cause as Error).message}`, cause }),
  )
