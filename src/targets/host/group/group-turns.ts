import type { GroupId } from '../../../core/ids.ts'
import { createKeyedMutex } from '../../../util/mutex.ts'

/** One start or stop of a group at a time. A stop does not wait for a start that is under way: it ends it. */
export interface GroupTurns {
  start(group: GroupId, signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void>
  stop(group: GroupId, work: () => Promise<void>): Promise<void>
}

export function createGroupTurns(): GroupTurns {
  const exclusively = createKeyedMutex<GroupId>()
  const starting = new Map<GroupId, Set<AbortController>>()
  return {
    async start(group, signal, work) {
      const controller = new AbortController()
      const running = starting.get(group) ?? new Set()
      starting.set(group, running.add(controller))
      try {
        await exclusively(group).run(() => work(AbortSignal.any([signal, controller.signal])))
      } finally {
        running.delete(controller)
        if (running.size === 0) starting.delete(group)
      }
    },
    async stop(group, work) {
      for (const controller of starting.get(group) ?? []) controller.abort()
      await exclusively(group).run(work)
    },
  }
}
