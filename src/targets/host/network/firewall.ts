import { execOrThrow } from '../../../util/exec.ts'
import type { NetworkPlan } from './network-plan.ts'

/**
 * Instances reach the world, and of this host only what the router redirected for them: not each other, not
 * other homes' instances, not the host's own services. Nobody outside the host reaches an instance.
 *
 * A reset is always sent, while the kernel limits how often it sends ICMP errors: a refused connection must not
 * look like a slow one. Nor may the host advise an instance to ask its neighbour directly (ICMP redirect).
 *
 * `sealed`: frames do not go from one port of the bridge to another, see `portRules`.
 *
 * Interfaces in `apart` do not reach each other through this host, which did not forward before. What goes back to
 * where it came from is a bridge's own traffic, which the kernel may show here too.
 */
export const firewallRules = (plan: NetworkPlan, apart: readonly string[], sealed: boolean): string => `
table inet ${plan.firewallTable}
delete table inet ${plan.firewallTable}
table inet ${plan.firewallTable} {
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject
  }
  chain apart {
${apart.map((name) => `    iifname "${name}" oifname "${name}" return\n`).join('')}    drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
${keptApart(apart)}    iifname "${plan.bridge}" oifname "basalt-*" goto refuse
    oifname "${plan.bridge}" ct state established,related accept
    oifname "${plan.bridge}" goto refuse
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname "${plan.bridge}" ct state established,related accept
    iifname "${plan.bridge}" ct status dnat accept
    iifname "${plan.bridge}" goto refuse
  }
  chain output {
    type filter hook output priority filter; policy accept;
    oifname "${plan.bridge}" icmp type redirect drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${plan.instanceRange} oifname != "${plan.bridge}" masquerade
  }
}
${sealed ? portRules(plan) : ''}`

/**
 * Frames between ports of the bridge. Ports that the local target makes are isolated anyway; those that a container
 * engine adds come with no such mark, and would be reachable until somebody had set it. By address, as not every kernel
 * can ask a frame for its bridge.
 */
const portRules = ({ firewallTable, instanceRange }: NetworkPlan): string => `
table bridge ${firewallTable}
delete table bridge ${firewallTable}
table bridge ${firewallTable} {
  chain forward {
    type filter hook forward priority filter; policy accept;
    ip saddr ${instanceRange} drop
    ip daddr ${instanceRange} drop
    arp saddr ip ${instanceRange} drop
    arp daddr ip ${instanceRange} drop
  }
}
`

function keptApart(names: readonly string[]): string {
  if (names.length === 0) return ''
  const set = `{ ${names.map((name) => `"${name}"`).join(', ')} }`
  return `    meta nfproto ipv4 iifname ${set} oifname ${set} jump apart\n`
}

/** One transaction: there is no moment without rules. */
export const applyFirewall = (
  plan: NetworkPlan,
  apart: readonly string[],
  sealed: boolean,
): Promise<unknown> =>
  execOrThrow('network.setup-failed', 'the firewall rules could not be set', 'nft', ['-f', '-'], {
    input: firewallRules(plan, apart, sealed),
  })

export async function removeFirewall(plan: NetworkPlan): Promise<void> {
  await remove('inet', plan)
  // A kernel without tables for bridges has none of ours.
  await remove('bridge', plan).catch(() => {})
}

const remove = (family: 'inet' | 'bridge', { firewallTable }: NetworkPlan): Promise<unknown> =>
  execOrThrow('network.setup-failed', 'the firewall rules could not be removed', 'nft', ['-f', '-'], {
    input: `table ${family} ${firewallTable}\ndelete table ${family} ${firewallTable}\n`,
  })
