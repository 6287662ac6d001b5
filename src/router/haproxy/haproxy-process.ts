import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { writeFileAtomic } from '../../util/atomic-write.ts'
import type { exec } from '../../util/exec.ts'
import { identifyProcess, isRunning, type ProcessIdentity } from '../../util/process-identity.ts'
import type { EntryPort } from '../router.ts'
import { routerNotStarted } from '../router-failed.ts'
import type { RouterLauncher } from '../router-launcher.ts'
import { edgeMap } from './edge-map.ts'
import { files, type HaproxyStart, type Listeners, renderConfig } from './haproxy-config.ts'
import { mapFile } from './haproxy-socket.ts'
import { bucketMap } from './latency-buckets.ts'
import { routeMap } from './route-map.ts'
import type { SlotCounts } from './slot-name.ts'

export type Exec = typeof exec

/** The HAProxy of a home, as recorded for whoever comes after the server that started it. */
export interface HaproxyProcess {
  readonly identity: ProcessIdentity
  readonly listeners: Listeners
  /** Entry ports that it bound itself. */
  readonly entryPorts: readonly EntryPort[]
  readonly slots: SlotCounts
}

const port = z.int().min(1).max(65535)
const processSchema = z.object({
  identity: z.object({ pid: z.int(), startTicks: z.string(), bootId: z.string() }),
  listeners: z.object({ edgeHttp: port, edgeTcp: port, lateHttp: port, lateTcp: port }),
  entryPorts: z.array(z.object({ port, protocol: z.enum(['http', 'tcp']) })),
  slots: z.object({ http: z.int(), tcp: z.int() }),
})

const recordFile = (folder: string): string => join(folder, 'haproxy.json')

/** The last HAProxy that was started here, running or not; null when there is no usable record. */
export async function readProcess(folder: string): Promise<HaproxyProcess | null> {
  const text = await readFile(recordFile(folder), 'utf8').catch(() => null)
  if (text === null) return null
  try {
    return processSchema.parse(JSON.parse(text))
  } catch {
    // Without it the process cannot be adopted, and is ended as a stray.
    return null
  }
}

/**
 * Starts a HAProxy that outlives the caller; resolves once it has bound its ports and answers there.
 * Must not be called while one runs in the same folder. Rejects with `router.failed`, with HAProxy's own words.
 */
export async function startHaproxy(
  folder: string,
  start: HaproxyStart,
  launcher: RouterLauncher,
): Promise<HaproxyProcess> {
  await mkdir(join(folder, files.emptyFolder), { recursive: true, mode: 0o755 })
  await Promise.all([
    writeFile(join(folder, files.config), renderConfig(start)),
    writeFile(join(folder, files.routes), mapFile(routeMap(start.state))),
    writeFile(join(folder, files.edges), mapFile(edgeMap(start.state))),
    writeFile(join(folder, files.buckets), bucketMap()),
  ])
  const place = { folder, config: files.config, socket: files.socket, pidFile: files.pid }
  const identity = await identifyProcess(await launcher.start(place))
  if (identity === null) throw routerNotStarted(place, 'it ended at once')
  const { listeners, entryPorts } = start
  const running: HaproxyProcess = { identity, listeners, entryPorts, slots: start.settings.slots }
  await writeFileAtomic(recordFile(folder), `${JSON.stringify(running)}\n`, { mode: 0o600 })
  return running
}

/** Ends it at once, with all its connections. */
export async function stopHaproxy(identity: ProcessIdentity): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!(await isRunning(identity))) return
    try {
      process.kill(identity.pid, signal)
    } catch {
      // Ended in the meantime.
    }
    for (let waitedMs = 0; waitedMs < 2000; waitedMs += 5) {
      if (!(await isRunning(identity))) return
      await sleep(5)
    }
  }
}
