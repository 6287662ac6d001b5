import type { EntryPort } from '../router.ts'
import type { RouterNetwork } from '../router-network.ts'
import type { Listeners } from './haproxy-config.ts'
import { addressRanges } from './service-address.ts'

/**
 * The redirections of one home, replaced in one transaction: service addresses to the listeners for edges, and entry
 * ports that HAProxy did not bind to the listeners for late ports. HAProxy finds the address and port that were meant
 * in the connection's own record (SO_ORIGINAL_DST). Connections that exist keep the redirection they have.
 *
 * HAProxy 2.6 does not read that record for IPv6, so late ports refuse it and clients go on to IPv4.
 */
export function renderRules(
  network: RouterNetwork,
  listeners: Listeners,
  latePorts: readonly EntryPort[],
): string {
  const ranges = addressRanges(network.serviceRange)
  const edges = (condition: string) => [
    `${condition}ip daddr ${ranges.http.first}-${ranges.http.last} meta l4proto tcp redirect to :${listeners.edgeHttp}`,
    `${condition}ip daddr ${ranges.tcp.first}-${ranges.tcp.last} meta l4proto tcp redirect to :${listeners.edgeTcp}`,
  ]
  const late = [
    ...lateRules(latePorts, 'http', 'ipv4', `redirect to :${listeners.lateHttp}`),
    ...lateRules(latePorts, 'tcp', 'ipv4', `redirect to :${listeners.lateTcp}`),
  ]
  const refused = (['http', 'tcp'] as const).flatMap((protocol) =>
    lateRules(latePorts, protocol, 'ipv6', 'reject with tcp reset'),
  )
  const chain = (name: string, hook: string, rules: readonly string[]) =>
    `  chain ${name} {\n    type ${hook}; policy accept;\n${rules.map((rule) => `    ${rule}\n`).join('')}  }\n`
  return [
    removeRules(network),
    `table inet ${network.table} {\n`,
    chain('prerouting', 'nat hook prerouting priority dstnat', [
      ...edges(`iifname "${network.bridge}" `),
      ...late,
    ]),
    chain('output', 'nat hook output priority -100', [...edges(''), ...late]),
    chain('input', 'filter hook input priority filter', refused),
    '}\n',
  ].join('')
}

function lateRules(
  ports: readonly EntryPort[],
  protocol: EntryPort['protocol'],
  family: 'ipv4' | 'ipv6',
  verdict: string,
): readonly string[] {
  const numbers = ports.filter((entry) => entry.protocol === protocol).map(({ port }) => port)
  return numbers.length === 0
    ? []
    : [`meta nfproto ${family} fib daddr type local tcp dport { ${numbers.join(', ')} } ${verdict}`]
}

/** Declaring the table first makes its removal succeed where there is none. */
export const removeRules = ({ table }: RouterNetwork): string =>
  `table inet ${table}\ndelete table inet ${table}\n`
