import type { InstanceId } from '../../../core/ids.ts'
import { isProcessAlive } from '../../../util/process-alive.ts'
import { tell } from '../../host/instance/follow-health.ts'
import { rotateLog } from '../../host/log/rotate-log.ts'
import type { LocalContext } from '../local-context.ts'
import { confirmAlive, noteEnded, noteStarted } from './follow-instance.ts'
import { watchInstanceEvents } from './instance-events.ts'

/** How often logs are cut and instances asked for beyond what events tell. */
const upkeepMs = 5000

/** Follows what keepers tell, and looks after logs. Returns the way to end both. */
export async function watchInstances(context: LocalContext): Promise<() => void> {
  const events = await watchInstanceEvents(context.paths.events, (id, event) => {
    const instance = context.instances.get(id as InstanceId)
    if (instance === undefined) return
    const noted = event === 'started' ? noteStarted(context, instance) : noteEnded(context, instance)
    noted.catch((cause: unknown) => tell(context, instance, cause))
  })
  const upkeep = setInterval(() => void keepUp(context), upkeepMs)
  upkeep.unref()
  return () => {
    clearInterval(upkeep)
    events.close()
  }
}

async function keepUp(context: LocalContext): Promise<void> {
  for (const instance of context.instances.values()) {
    try {
      // The number alone is enough to see that nothing changed; who it is gets asked only when it is gone.
      const pid = instance.record.process?.pid
      if (pid !== undefined && !isProcessAlive(pid)) await confirmAlive(context, instance)
      await rotateLog(instance.paths.log)
    } catch (cause) {
      tell(context, instance, cause)
    }
  }
}
