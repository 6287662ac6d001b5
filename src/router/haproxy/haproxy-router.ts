import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { BasaltError } from '../../errors.ts'
import { createMutex } from '../../util/mutex.ts'
import { currentBootId } from '../../util/process-identity.ts'
import type { Router } from '../router.ts'
import type { RouterLauncher } from '../router-launcher.ts'
import type { RouterNetwork } from '../router-network.ts'
import { edgeMap } from './edge-map.ts'
import { files } from './haproxy-config.ts'
import type { Exec } from './haproxy-process.ts'
import { isLost, readMap, replaceMap } from './haproxy-socket.ts'
import { HaproxySupervisor } from './haproxy-supervisor.ts'
import { hostLauncher } from './host-launcher.ts'
import { hostSettings } from './host-settings.ts'
import { tablesOf } from './route-map.ts'
import type { RouterContext } from './router-context.ts'
import type { RouterState } from './router-state.ts'
import type { SlotCounts } from './slot-name.ts'
import { reconcileServers } from './slot-servers.ts'
import { loadState, saveState } from './state-file.ts'
import { createGroupVerbs, type GroupVerbs } from './verbs/groups.ts'
import { open } from './verbs/open.ts'
import { members, routes, switchRoutes } from './verbs/routes.ts'
import { traffic } from './verbs/traffic.ts'

export interface HaproxyRouterOptions {
  /** Made if it is not there. Everything of the router is in it; one router at a time uses it. */
  readonly folder: string
  readonly network: RouterNetwork
  readonly exec: Exec
  /** How HAProxy is run; by the program of the host unless told. */
  readonly launcher?: RouterLauncher
  readonly now: () => number
  readonly random?: () => number
  /** How many ports of groups can be known at a time, by protocol; 512 and 256 unless told. */
  readonly slots?: SlotCounts
  /** Told of what goes wrong while nobody waits for the router. */
  readonly report?: (error: BasaltError) => void
}

export interface HaproxyRouter extends Router {
  /** Lets go of HAProxy, which runs on alone until the next router of this folder adopts it. */
  close(): void
  /** Ends HAProxy and removes the redirections: nothing is served any more. */
  shutdown(): Promise<void>
}

/**
 * The router as one HAProxy for all environments of a home. It is never reloaded: what a deployment changes are maps,
 * and servers in slots that were declared beforehand. docs/router.md has the whole picture.
 */
export function createHaproxyRouter(options: HaproxyRouterOptions): HaproxyRouter {
  let context: Promise<RouterContext & { readonly groups: GroupVerbs }> | undefined
  const ready = () => {
    context ??= createContext(options)
      .then((made) => ({ ...made, groups: createGroupVerbs(made) }))
      .catch((error: unknown) => {
        context = undefined
        throw error
      })
    return context
  }
  const groups = async (): Promise<GroupVerbs> => (await ready()).groups
  return {
    open: async (entryPorts) => open(await ready(), entryPorts),
    address: async (group) => (await groups()).address(group),
    join: async (group, instance, at, op) => (await groups()).join(group, instance, at, op),
    leave: async (group, instance, drainMs, op) => (await groups()).leave(group, instance, drainMs, op),
    handOver: async (from, to, op) => (await groups()).handOver(from, to, op),
    forget: async (group, op) => (await groups()).forget(group, op),
    switch: async (table) => switchRoutes(await ready(), table),
    routes: async (environment) => routes(await ready(), environment),
    members: async () => members(await ready()),
    traffic: async (environment) => traffic(await ready(), environment),
    close: () => {
      void context?.then(
        ({ supervisor }) => supervisor.close(),
        () => {},
      )
    },
    shutdown: async () => (await ready()).supervisor.shutdown(),
  }
}

async function createContext(options: HaproxyRouterOptions): Promise<RouterContext> {
  const { folder, network, random = Math.random, report = () => {} } = options
  await prepareFolder(folder)
  const settings = await hostSettings(options.slots)
  const stateFile = join(folder, 'router.json')
  const mutex = createMutex()
  let state = await loadState(stateFile, await currentBootId(), report)

  const record = async (next: RouterState) => {
    await saveState(stateFile, state, next)
    state = next
  }
  const supervisor = new HaproxySupervisor({
    folder,
    network,
    launcher: options.launcher ?? hostLauncher(options.exec),
    random,
    settings,
    state: () => state,
    adopted: async ({ socket }) => {
      // A change that was under way: routes are what HAProxy has; for all else the record says what was wanted.
      const tables = tablesOf(await readMap(socket, files.routes), state)
      if (!isDeepStrictEqual(tables, state.tables)) await record({ ...state, tables })
      await replaceMap(socket, files.edges, edgeMap(state))
      await reconcileServers(socket, state)
    },
    report,
  })
  const ask: RouterContext['ask'] = async (question) => {
    try {
      return await question(await supervisor.ensure())
    } catch (error) {
      if (!isLost(error)) throw error
      return await question(await supervisor.ensure())
    }
  }
  return {
    network,
    now: options.now,
    supervisor,
    state: () => state,
    record,
    ask,
    exclusively: (task) =>
      mutex.run(async () => {
        // A HAProxy of an earlier server has its say about the state before the task reads it.
        await supervisor.find()
        return await task()
      }),
    change: async (next, follow) => {
      await supervisor.ensure()
      const before = state
      await record(next)
      try {
        await ask(({ socket }) => follow(socket))
        // Adopted anew on the way, HAProxy may have said that its routes are still the old ones.
        if (state !== next) await record(next)
      } catch (error) {
        await record(before)
        throw error
      }
    },
  }
}

const maxSocketPathBytes = 107

async function prepareFolder(folder: string): Promise<void> {
  const socket = join(folder, files.socket)
  if (Buffer.byteLength(socket) > maxSocketPathBytes)
    throw new BasaltError('host.home-invalid', {
      message: `the path of the state folder is too long: ${socket} has more than the ${maxSocketPathBytes} bytes that a socket's path may have`,
      remedy: 'Set BASALT_HOME to a folder with a shorter path.',
      details: { path: socket, maxBytes: maxSocketPathBytes },
    })
  await mkdir(folder, { recursive: true })
  await chmod(folder, 0o700)
}
