import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Gives memory that a burst of work left behind back to the system, some quiet time after the last call: a process
 * that then does nothing would keep it until it works again. Costs one full collection, a few dozen milliseconds.
 */
export function createMemoryRelease(quietMs: number): () => void {
  let timer: NodeJS.Timeout | undefined
  return () => {
    clearTimeout(timer)
    timer = setTimeout(collect, quietMs)
    timer.unref()
  }
}

function collect(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as (options: { type: 'major' }) => void
  gc({ type: 'major' })
}
