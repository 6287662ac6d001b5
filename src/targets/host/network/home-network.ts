import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import type { BasaltError } from '../../../errors.ts'
import type { RouterNetwork } from '../../../router/router-network.ts'
import { execOrThrow } from '../../../util/exec.ts'
import { onceSucceeded } from '../../../util/once-succeeded.ts'
import { watchHostSetting } from '../../../util/watch-host-setting.ts'
import { watchNftTable } from '../../../util/watch-nft-table.ts'
import { applyFirewall, removeFirewall } from './firewall.ts'
import { withHostLock } from './host-lock.ts'
import { ipBatchForced, ipQuery } from './ip-batch.ts'
import {
  forwardingLost,
  interfacesToKeepApart,
  isForwardingOn,
  turnForwardingOffAgain,
  turnForwardingOn,
} from './ip-forwarding.ts'
import { chooseOctet, homeKey, type Ipv4Range, type NetworkPlan, planOf } from './network-plan.ts'

/** The bridge and addresses of one Basalt home, for all its targets on this machine. */
export interface HomeNetwork {
  readonly plan: NetworkPlan
  /** What the router has to know of it. */
  readonly routerNetwork: RouterNetwork
  /** Resolves when instances are kept apart and reach the world: no new one may start before. */
  secured(): Promise<unknown>
  /**
   * Ports that another program adds to the bridge, and nobody can mark as isolated beforehand, are kept apart too, from
   * the moment in which they are there. In force when the next `secured` has resolved. Idempotent.
   */
  sealPorts(): void
  /**
   * Sets the firewall again when another program took it away, and forwarding when one turned it off, and reports
   * either. Returns the way to end that, which has to come before `remove`.
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
export async function openHomeNetwork(home: string): Promise<HomeNetwork> {
  const found = findPlan(home)
  let sealed = false
  const securing = () =>
    onceSucceeded(() =>
      withHostLock(async () => {
        const plan = found ?? findPlan(home) ?? (await makeBridge(home))
        await secure(plan, sealed)
        return plan
      }),
    )
  let secured = securing()
  // What is there already serves without it; only new instances wait for it, and get its failure.
  const plan = found ?? (await secured())
  return {
    plan,
    routerNetwork: {
      bridge: plan.bridge,
      gateway: plan.gateway,
      serviceRange: plan.serviceRange,
      table: plan.routerTable,
    },
    secured: () => secured(),
    sealPorts() {
      if (sealed) return
      sealed = true
      secured = securing()
    },
    watch: (report) =>
      watchNetwork(
        plan,
        () => secured(),
        () => withHostLock(() => secure(plan, sealed)),
        report,
      ),
    async remove() {
      await secured().catch(() => {})
      await withHostLock(async () => {
        await ipBatchForced([`link del ${plan.bridge}`])
        if (!(await bridges()).some(({ ifname }) => ifname.startsWith('basalt-')))
          await turnForwardingOffAgain()
        await removeFirewall(plan)
      })
    },
  }
}

const secureAfterMs = 1000

function watchNetwork(
  plan: NetworkPlan,
  secured: () => Promise<unknown>,
  restore: () => Promise<void>,
  report: (problem: BasaltError) => void,
): () => Promise<void> {
  // Each of its processes holds the server up, which has instances to look after when it comes back.
  const securing = setTimeout(() => void secured().catch(report), secureAfterMs).unref()
  const forwarding = { isInForce: isForwardingOn, restore, lost: forwardingLost, report }
  const endings = [
    watchNftTable({ table: plan.firewallTable, restore, report }),
    watchHostSetting({ name: 'IP forwarding', ...forwarding }),
  ]
  return async () => {
    clearTimeout(securing)
    await Promise.all(endings.map((end) => end()))
  }
}

/**
 * The rules come first, so that at no moment the host is a router that was none, or is to be none any more. Only under
 * the host lock.
 */
async function secure(plan: NetworkPlan, sealed: boolean): Promise<void> {
  if (sealed) await answerForNeighbours(plan)
  await applyFirewall(plan, await interfacesToKeepApart(), sealed)
  await turnForwardingOn()
}

/**
 * A neighbour that is asked for directly is answered for by the bridge itself, so that what is meant for it comes to the
 * firewall, which refuses it at once, rather than nowhere.
 */
async function answerForNeighbours({ bridge }: NetworkPlan): Promise<void> {
  const folder = '/proc/sys/net/ipv4'
  await writeFile(join(folder, 'conf', bridge, 'proxy_arp_pvlan'), '1')
  await writeFile(join(folder, 'neigh', bridge, 'proxy_delay'), '0')
}

/** Asked of the kernel's files: no other program has to be waited for. */
function findPlan(home: string): NetworkPlan | null {
  const names = readdirSync(linksFolder).filter((name) => name.startsWith('basalt-'))
  const bridge = names.find((name) => readTrimmed(join(linksFolder, name, 'ifalias')) === home)
  const octet = bridge === undefined ? null : octetOf(readTrimmed('/proc/net/route'), bridge)
  return bridge === undefined || octet === null ? null : planOf(bridge.slice('basalt-'.length), octet)
}

const linksFolder = '/sys/class/net'

/** From the route that comes with a bridge's address: columns are interface, then destination in hex, backwards. */
function octetOf(routes: string, bridge: string): number | null {
  const route = routes.split('\n').find((line) => line.startsWith(`${bridge}\t`))
  const destination = route?.split('\t')[1] ?? ''
  return /^[0-9A-F]{8}$/.test(destination) ? Number.parseInt(destination.slice(4, 6), 16) : null
}

/** An interface may go away while it is looked at. */
function readTrimmed(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
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
