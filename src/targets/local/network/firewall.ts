import { execOrThrow } from '../../../util/exec.ts'
import type { NetworkPlan } from './network-plan.ts'

/**
 * Instances reach the world, and of this host only what the router redirected for them: not each other, not
 * other homes' instances, not the host's own services. Nobody outside the host reaches an instance.
 *
 * A reset is always sent, while the kernel limits how often it sends ICMP errors: a refused connection must not
 * look like a slow one. Nor may the host advise an instance to ask its neighbour directly (ICMP redirect).
 *
 * Interfaces in `apart` do not reach each other through this host, which did not forward before. What goes back to
 * where it came from is a bridge's own traffic, which the kernel may show here too.
 */
export const firewallRules = (
  { bridge, firewallTable, instanceRange }: NetworkPlan,
  apart: readonly string[],
): string => `
table inet ${firewallTable}
delete table inet ${firewallTable}
table inet ${firewallTable} {
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject
  }
  chain apart {
${apart.map((name) => `    iifname "${name}" oifname "${name}" return\n`).join('')}    drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
${keptApart(apart)}    iifname "${bridge}" oifname "basalt-*" goto refuse
    oifname "${bridge}" ct state established,related accept
    oifname "${bridge}" goto refuse
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname "${bridge}" ct state established,related accept
    iifname "${bridge}" ct status dnat accept
    iifname "${bridge}" goto refuse
  }
  chain output {
    type filter hook output priority filter; policy accept;
    oifname "${bridge}" icmp type redirect drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${instanceRange} oifname != "${bridge}" masquerade
  }
}
`

function keptApart(names: readonly string[]): string {
  if (names.length === 0) return ''
  const set = `{ ${names.map((name) => `"${name}"`).join(', ')} }`
  return `    meta nfproto ipv4 iifname ${set} oifname ${set} jump apart\n`
}

/** One transaction: there is no moment without rules. */
export const applyFirewall = (plan: NetworkPlan, apart: readonly string[]): Promise<unknown> =>
  execOrThrow('network.setup-failed', 'the firewall rules could not be set', 'nft', ['-f', '-'], {
    input: firewallRules(plan, apart),
  })

export const removeFirewall = (plan: NetworkPlan): Promise<unknown> =>
  execOrThrow('network.setup-failed', 'the firewall rules could not be removed', 'nft', ['-f', '-'], {
    input: `table inet ${plan.firewallTable}\ndelete table inet ${plan.firewallTable}\n`,
  })
