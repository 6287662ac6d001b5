import { setTimeout as sleep } from 'node:timers/promises'
import { BasaltError } from '../../../errors.ts'
import type { DockerContext } from '../docker-context.ts'
import { confirmAlive, noteExit } from './confirm-alive.ts'

const retryDelaysMs = [100, 250, 500, 1000, 2000] as const

/**
 * Follows what the Engine tells of ends, through its restarts: each time that it answers again, all instances are asked
 * for, as what ended meanwhile was told to nobody. Returns the way to end it.
 */
export function watchExits(context: DockerContext): () => void {
  const closing = new AbortController()
  void follow(context, closing.signal)
  return () => closing.abort()
}

async function follow(context: DockerContext, signal: AbortSignal): Promise<void> {
  const { engine, homeLabel, instances, report } = context
  const tell = (error: unknown): void => {
    if (error instanceof BasaltError && !signal.aborted) report(error)
  }
  let failures = 0
  const connected = (): void => {
    failures = 0
    confirmAlive(context, [...instances.values()]).catch(tell)
  }
  while (!signal.aborted) {
    try {
      for await (const exit of engine.exits(homeLabel, connected, signal)) noteExit(context, exit)
    } catch (error) {
      // Once, however long it is away.
      if (failures === 0) tell(error)
    }
    const delayMs = retryDelaysMs[Math.min(failures++, retryDelaysMs.length - 1)]
    await sleep(delayMs, undefined, { signal, ref: false }).catch(() => {})
  }
}
