import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BasaltError } from '../../errors.ts'
import { routerNotStarted } from '../router-failed.ts'
import type { RouterLauncher, RouterPlace } from '../router-launcher.ts'
import type { Exec } from './haproxy-process.ts'

/** The HAProxy that is installed here, as a daemon. */
export function hostLauncher(exec: Exec): RouterLauncher {
  return {
    async user() {
      const users = await readFile('/etc/passwd', 'utf8').catch(() => '')
      return /^haproxy:/m.test(users) ? 'haproxy' : null
    },
    async start(place) {
      const { folder, config, pidFile } = place
      const result = await exec('haproxy', ['-D', '-C', folder, '-f', config, '-p', pidFile], {
        timeoutMs: 10_000,
      })
      if (result.exitCode !== 0) throw await notStarted(place, result.stderr, exec)
      return Number((await readFile(join(folder, pidFile), 'utf8')).trim())
    },
    async clear() {},
  }
}

/** What is wrong with a configuration is told in full by a check of it. */
async function notStarted(place: RouterPlace, stderr: string, exec: Exec): Promise<BasaltError> {
  const check = await exec('haproxy', ['-c', '-C', place.folder, '-f', place.config], { timeoutMs: 10_000 })
  return routerNotStarted(place, `${stderr}\n${check.exitCode === 0 ? '' : check.stderr}`)
}

/**
 * The host's HAProxy where one is installed, else another. Where neither can be had, what is missing on the host is said:
 * to install it is what helps.
 *
 * @param otherwise rejects where there is no other way
 */
export function hostLauncherOr(exec: Exec, otherwise: () => Promise<RouterLauncher>): RouterLauncher {
  const host = hostLauncher(exec)
  const choose = async (): Promise<RouterLauncher> => {
    try {
      await exec('haproxy', ['-v'])
      return host
    } catch (missing) {
      if (!(missing instanceof BasaltError) || missing.code !== 'host.tool-missing') throw missing
      return await otherwise().catch(() => {
        throw missing
      })
    }
  }
  return {
    user: async () => (await choose()).user(),
    start: async (place) => (await choose()).start(place),
    // Where there is neither, neither has left anything.
    clear: async () => (await choose().catch(() => host)).clear(),
  }
}
