/**
 * A server that is killed when HAProxy has started and nothing says so yet.
 * Run as `node killed-server.ts <folder> <network as JSON> <entry port>`.
 */

import { exec } from '../../../util/exec.ts'
import type { RouterNetwork } from '../../router-network.ts'
import { createHaproxyRouter } from '../haproxy-router.ts'

const [folder = '', network = '{}', port = ''] = process.argv.slice(2)
const router = createHaproxyRouter({
  folder,
  network: JSON.parse(network) as RouterNetwork,
  exec: async (file, args, options) => {
    const result = await exec(file, args, options)
    if (file === 'haproxy') process.kill(process.pid, 'SIGKILL')
    return result
  },
  now: Date.now,
})
await router.open([{ port: Number(port), protocol: 'http' }], { signal: new AbortController().signal })
