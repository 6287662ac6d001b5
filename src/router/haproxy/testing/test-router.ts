import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EnvironmentId, GroupId, InstanceId } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import type { RouteEntry, RouteTable } from '../../../core/route-table.ts'
import type { Port } from '../../../core/system.ts'
import type { BasaltError } from '../../../errors.ts'
import { exec } from '../../../util/exec.ts'
import type { RoutedGroup } from '../../router.ts'
import { createHaproxyRouter, type HaproxyRouter } from '../haproxy-router.ts'
import { isFree } from '../held-port.ts'
import { createTestNetwork, type TestNetwork } from './test-network.ts'

export const op: Op = { signal: new AbortController().signal }

/** A home with a network, and any number of routers for it, one after the other. */
export interface TestHome {
  readonly folder: string
  readonly network: TestNetwork
  readonly reports: readonly BasaltError[]
  /** A router as a new server would make it. */
  router(now?: () => number): HaproxyRouter
  remove(): Promise<void>
}

export async function createTestHome(): Promise<TestHome> {
  const folder = await mkdtemp(join(tmpdir(), 'basalt-router-'))
  const network = await createTestNetwork()
  const routers: HaproxyRouter[] = []
  const reports: BasaltError[] = []
  const router = (now: () => number = Date.now) => {
    const made = createHaproxyRouter({
      folder,
      network: network.router,
      exec,
      now,
      slots: { http: 64, tcp: 32 },
      report: (error) => reports.push(error),
    })
    routers.push(made)
    return made
  }
  return {
    folder,
    network,
    reports,
    router,
    remove: async () => {
      for (const made of routers) made.close()
      await router().shutdown()
      await network.remove()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export const environment = 'shop/staging' as EnvironmentId

export const group = (
  name: string,
  ports: readonly Port[],
  of: EnvironmentId = environment,
): RoutedGroup => ({
  id: name as GroupId,
  environment: of,
  ports,
})

export const httpPort = (port: number): Port => ({ port, protocol: 'http' })
export const tcpPort = (port: number): Port => ({ port, protocol: 'tcp' })
export const instanceOf = (of: RoutedGroup, number = 0): InstanceId => `${of.id}.${number}` as InstanceId

export const route = (
  entryPort: number,
  to: RoutedGroup,
  port: number,
  where: { host?: string; path?: string } = {},
): RouteEntry => ({ kind: 'http', entryPort, host: '*', path: '/', ...where, group: to.id, port })

export const table = (
  generation: number,
  entries: readonly RouteEntry[],
  of: EnvironmentId = environment,
): RouteTable => ({ environment: of, generation, entries })

export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 19_999)
    if (await isFree(port, true)) return port
  }
}
