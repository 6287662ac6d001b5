import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Load, LoadClients, LoadResult } from './http-client.ts'

/** Like `startLoad`, on a thread of its own: it does not hold up what is measured on this one. */
export function startLoadThread(urls: readonly string[], clients: LoadClients): Load {
  const worker = new Worker(new URL('load-worker.ts', import.meta.url), { workerData: { urls, clients } })
  return {
    expect: (release) => worker.postMessage(release),
    stop: async () => {
      worker.postMessage('stop')
      const [result] = (await once(worker, 'message')) as [LoadResult]
      return result
    },
  }
}
