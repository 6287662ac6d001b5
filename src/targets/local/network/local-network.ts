import { z } from 'zod'
import type { BasaltError } from '../../../errors.ts'
import type { RouterNetwork } from '../../../router/router-network.ts'
import { execOrThrow } from '../../../util/exec.ts'
import { watchNftTable } from '../../../util/watch-nft-table.ts'
import { applyFirewall, removeFirewall } from './firewall.ts'
import { withHostLock } from './host-lock.ts'
import { ipBatchForced, ipQuery } from './ip-batch.ts'
import { interfacesToKeepApart, turnForwardingOffAgain, turnForwardingOn } from './ip-forwarding.ts'
import { createNamespacePool, type NamespacePool } from './namespace-pool.ts'
import { chooseOctet, homeKey, type Ipv4Range, type NetworkPlan, planOf } from './network-plan.ts'

/** The bridge, addresses and network namespaces of one Basalt home. */
export interface LocalNetwork {
  readonly plan: NetworkPlan
  /** What the router has to know of it. */
  readonly routerNetwork: RouterNetwork
  readonly pool: NamespacePool
  /**
   * Sets the firewall again when another program took it away, and reports it. Returns the way to end that, which has
   * to come before `remove`.
   */
  watch(report: (problem: BasaltError) => void): () => Promise<void>
  /** Removes all of it. Instances must be gone. */
  remove(): Promise<void>
}

const bridgesSchema = z.array(z.object({ ifname: z.string(), ifalias: z.string().optional() }))
const addressesSchema = z.array(
  z.object({
    ifname: z.string(),
    addr_info: z.array(z.object({ local: z.string().optional(), prefixlen: z.number() })),
  }),
)
const routesSchema = z.array(z.object({ dst: z.string() }))

/**
 * Finds the home's network or makes it. What exists is read from the kernel: a bridge carries its home's path
 * as alias, so that two homes never take each other's. Rejects with `network.setup-failed`.
 */
export async function openLocalNetwork(home: string): Promise<LocalNetwork> {
  const { plan, apart } = await withHostLock(async () => {
    const found = (await findPlan(home)) ?? (await makeBridge(home))
    const interfaces = await interfacesToKeepApart()
    await applyFirewall(found, interfaces)
    await turnForwardingOn()
    return { plan: found, apart: interfaces }
  })
  const pool = createNamespacePool(plan)
  return {
    plan,
    routerNetwork: {
      bridge: plan.bridge,
      gateway: plan.gateway,
      serviceRange: plan.serviceRange,
      table: plan.routerTable,
    },
    pool,
    watch: (report) =>
      watchNftTable({ table: plan.firewallTable, restore: () => applyFirewall(plan, apart), report }),
    async remove() {
      await pool.close()
      await withHostLock(async () => {
        await ipBatchForced([`link del ${plan.bridge}`])
        if (!(await bridges()).some(({ ifname }) => ifname.startsWith('basalt-')))
          await turnForwardingOffAgain()
        await removeFirewall(plan)
      })
    },
  }
}

async function findPlan(home: string): Promise<NetworkPlan | null> {
  const bridge = (await bridges()).find(({ ifalias }) => ifalias === home)
  if (bridge === undefined) return null
  const addresses = addressesSchema.parse(
    await ipQuery('addresses could not be listed', ['-4', 'address', 'show', 'dev', bridge.ifname]),
  )
  const octet = Number(addresses[0]?.addr_info[0]?.local?.split('.')[1])
  return Number.isInteger(octet) ? planOf(bridge.ifname.slice('basalt-'.length), octet) : null
}

const bridges = async () =>
  bridgesSchema.parse(await ipQuery('bridges could not be listed', ['link', 'show', 'type', 'bridge']))

async function makeBridge(home: string): Promise<NetworkPlan> {
  const taken = await bridges()
  let attempt = 0
  // A bridge of our name with another home's path: two hashes met.
  const isOthers = (key: string) =>
    taken.some(
      ({ ifname, ifalias }) => ifname === `basalt-${key}` && ifalias !== undefined && ifalias !== home,
    )
  while (isOthers(homeKey(home, attempt))) attempt++
  const plan = planOf(homeKey(home, attempt), chooseOctet(home, await rangesInUse()))
  // Left half-made by a crash: it has no alias or no address yet.
  if (taken.some(({ ifname }) => ifname === plan.bridge)) await ip(['link', 'del', plan.bridge])
  await ip(['link', 'add', plan.bridge, 'address', plan.bridgeMac, 'type', 'bridge'])
  await ip(['link', 'set', plan.bridge, 'addrgenmode', 'none', 'up', 'alias', home])
  // The whole /16 is on the bridge: what nobody redirects never leaves by the default route.
  await ip(['address', 'add', `${plan.gateway}/16`, 'dev', plan.bridge])
  return plan
}

const ip = (args: readonly string[]) =>
  execOrThrow('network.setup-failed', 'the bridge could not be made', 'ip', args)

/** Every IPv4 range that this host has an address in or a route to. */
async function rangesInUse(): Promise<readonly Ipv4Range[]> {
  const purpose = 'the addresses in use could not be listed'
  const addresses = addressesSchema.parse(await ipQuery(purpose, ['-4', 'address', 'show']))
  const routes = routesSchema.parse(await ipQuery(purpose, ['-4', 'route', 'show', 'table', 'all']))
  return [
    ...addresses.flatMap(({ addr_info }) =>
      addr_info.map(({ local = '0.0.0.0', prefixlen }) => ({ address: local, prefixLength: prefixlen })),
    ),
    ...routes
      .filter(({ dst }) => dst !== 'default')
      .map(({ dst }) => ({
        address: dst.split('/')[0] ?? '',
        prefixLength: Number(dst.split('/')[1] ?? '32'),
      })),
  ]
}
