import { BasaltError } from '../../errors.ts'
import type { Listeners } from './haproxy-config.ts'
import { isFree } from './held-port.ts'

/** Below the range that the kernel takes for outgoing connections (32768 and up). */
const firstPort = 20_000
const portCount = 12_000

/** The ports of before where they are free, so that redirections in force stay right; else other free ones. */
export async function freeListeners(
  before: Listeners | undefined,
  avoid: ReadonlySet<number>,
  ipv6: boolean,
  random: () => number,
): Promise<Listeners> {
  const chosen = new Set(avoid)
  const choose = async (wanted: number | undefined): Promise<number> => {
    for (let attempt = 0; attempt < 200; attempt++) {
      const port =
        attempt === 0 && wanted !== undefined ? wanted : firstPort + Math.floor(random() * portCount)
      if (chosen.has(port) || !(await isFree(port, ipv6))) continue
      chosen.add(port)
      return port
    }
    throw new BasaltError('router.failed', {
      message: `no free TCP port was found from ${firstPort} to ${firstPort + portCount - 1}`,
      remedy: 'See `ss -ltn` for what listens there.',
    })
  }
  return {
    edgeHttp: await choose(before?.edgeHttp),
    edgeTcp: await choose(before?.edgeTcp),
    lateHttp: await choose(before?.lateHttp),
    lateTcp: await choose(before?.lateTcp),
  }
}
