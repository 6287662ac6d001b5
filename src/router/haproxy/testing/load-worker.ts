/** The other side of load-thread.ts. */
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { type LoadClients, startLoad } from './http-client.ts'

const { urls, clients } = workerData as { readonly urls: readonly string[]; readonly clients: LoadClients }
const load = startLoad(urls, clients)
for (let running = true; running && parentPort !== null; ) {
  const [message] = (await once(parentPort, 'message')) as [number | 'stop']
  if (message === 'stop') {
    parentPort.postMessage(await load.stop())
    running = false
  } else load.expect(message)
}
parentPort?.close()
