import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { identifyProcess, type ProcessIdentity } from '../../util/process-identity.ts'
import { files } from './haproxy-config.ts'
import { stopHaproxy } from './haproxy-process.ts'

/**
 * Ends every HAProxy of a folder, a daemon of the host or one in a container. For when none is on record: a server that was killed between starting one and
 * recording it leaves one behind that holds the ports and answers by routes that nobody changes any more.
 */
export async function endStrays(folder: string): Promise<void> {
  // Looked for again, as one that is still starting becomes another process on the way.
  for (let attempt = 0; attempt < 5; attempt++) {
    const found = await findStrays(folder)
    if (found.length === 0) return
    await Promise.all(found.map(stopHaproxy))
  }
}

async function findStrays(folder: string): Promise<readonly ProcessIdentity[]> {
  const places = await Promise.all([folder, join(folder, files.emptyFolder)].map(placeOf))
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      if (!isDaemonOf(folder, await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''))) return null
      // In a container a Basalt may have a folder of the same name; its HAProxy is seen from here too.
      const place = await placeOf(`/proc/${pid}/cwd`)
      return place !== null && places.includes(place) ? await identifyProcess(Number(pid)) : null
    }),
  )
  return found.filter((identity) => identity !== null)
}

function isDaemonOf(folder: string, commandLine: string): boolean {
  const [program = '', ...args] = commandLine.split('\0')
  return (
    basename(program) === 'haproxy' &&
    (args.includes('-D') || args.includes('-db')) &&
    args[args.indexOf('-C') + 1] === folder
  )
}

const placeOf = (path: string): Promise<string | null> =>
  stat(path).then(
    ({ dev, ino }) => `${dev}:${ino}`,
    () => null,
  )
