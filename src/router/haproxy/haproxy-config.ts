import type { EntryPort } from '../router.ts'
import type { RouterNetwork } from '../router-network.ts'
import { lastBucket } from './latency-buckets.ts'
import { groupEntries, memberEntries, type RouterState } from './router-state.ts'
import { type SlotCounts, type SlotName, slotName } from './slot-name.ts'

/** Names of the files in the folder that HAProxy runs in; its commands use the same relative names. */
export const files = {
  config: 'haproxy.cfg',
  socket: 'haproxy.sock',
  pid: 'haproxy.pid',
  routes: 'routes.map',
  edges: 'edges.map',
  buckets: 'buckets.map',
  emptyFolder: 'empty',
} as const

/** The stick table that counts answers. */
export const latencyTable = 'latency'

/** TCP ports of HAProxy that nobody calls by their number: nftables redirects to them. */
export interface Listeners {
  readonly edgeHttp: number
  readonly edgeTcp: number
  /** For entry ports that were asked for after HAProxy's start. */
  readonly lateHttp: number
  readonly lateTcp: number
}

export interface HaproxySettings {
  readonly slots: SlotCounts
  readonly threads: number
  readonly maxConnections: number
  /** Whom HAProxy becomes once it has bound its ports, see `RouterLauncher`. */
  readonly user: string | number | null
  readonly ipv6: boolean
}

export interface HaproxyStart {
  readonly network: RouterNetwork
  readonly settings: HaproxySettings
  readonly listeners: Listeners
  /** Bound directly. */
  readonly entryPorts: readonly EntryPort[]
  readonly state: RouterState
}

/**
 * The arguments of an instance, in the file and in `add server` alike. A server that is added at run time has zeros
 * where one from the file has defaults: without the two `pool` arguments it would never reuse a connection.
 */
export const serverArguments =
  'check inter 2s fastinter 250ms downinter 500ms rise 1 fall 3 pool-max-conn -1 pool-purge-delay 1s'

/** The whole configuration. With the two map files beside it, HAProxy starts with all that the state says. */
export const renderConfig = (start: HaproxyStart): string =>
  [
    globalSection(start.settings),
    defaultsSections,
    latencySection(start.settings.slots),
    ingressSections(start),
    edgeSections(start),
    slotSections(start),
  ].join('\n')

// Without `noreuseport` a second HAProxy, of another Basalt, could bind the same port and get half of its connections.
const globalSection = ({ threads, maxConnections, user }: HaproxySettings): string => `global
  stats socket unix@${files.socket} mode 600 level admin
  stats timeout 24d
  nbthread ${threads}
  maxconn ${maxConnections}
  noreuseport
  hard-stop-after 10s
  chroot ${files.emptyFolder}
${userLines(user)}`

function userLines(user: HaproxySettings['user']): string {
  if (user === null) return ''
  return typeof user === 'number' ? `  uid ${user}\n  gid ${user}\n` : `  user ${user}\n  group ${user}\n`
}

// A connection that fails is tried again, at another instance where there is one. An answer that does not come is
// asked for again too, as this is how a killed instance looks; but only where asking twice is harmless (RFC 9110,
// 9.2.2): see `disable-l7-retry`.
const defaultsSections = `defaults http
  mode http
  balance roundrobin
  timeout connect 2s
  timeout client 60s
  timeout server 10m
  timeout http-request 30s
  timeout http-keep-alive 60s
  timeout queue 5s
  timeout tunnel 1h
  timeout check 5s
  option http-keep-alive
  http-reuse safe
  retries 3
  retry-on conn-failure empty-response
  option redispatch 1
${errorPages()}

defaults tcp
  mode tcp
  balance leastconn
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout client-fin 30s
  timeout tunnel 24h
  timeout queue 5s
  timeout check 5s
  option clitcpka
  option srvtcpka
  retries 3
  option redispatch 1
`

function errorPages(): string {
  const pages = [
    [502, 'Bad Gateway', 'the instance closed the connection without an answer'],
    [503, 'Service Unavailable', 'no instance is ready'],
    [504, 'Gateway Timeout', 'the instance did not answer in time'],
  ] as const
  return pages
    .map(
      ([status, name, fact]) =>
        `  http-error status ${status} content-type text/plain lf-string "${status} ${name}\\n\\nBasalt: ${fact} for %[req.hdr(host)]%[path]\\n"`,
    )
    .join('\n')
}

const latencySection = ({ http, tcp }: SlotCounts): string => `backend ${latencyTable} from tcp
  stick-table type string len 24 size ${(http + tcp) * 200} store http_req_cnt,gpc0,conn_cnt
`

const retryRule = '  http-request disable-l7-retry unless { method GET HEAD OPTIONS PUT DELETE TRACE }'

const countingRules = (way: 'in' | 'edge'): string => `  http-request set-var(txn.begin) date(0,us)
  http-response track-sc0 date(0,us),sub(txn.begin),map_ip(${files.buckets},${lastBucket}),concat(:${way}:,txn.slot) table ${latencyTable}
  http-response sc-inc-gpc0(0) if { status ge 500 }`

// The named host is looked up a second time before giving up: if the routes were switched between the first two
// lookups, then the last two have seen the new ones.
function ingressSections({ settings, listeners, entryPorts }: HaproxyStart): string {
  const binds = (protocol: EntryPort['protocol'], latePort: number) =>
    [
      ...entryPorts
        .filter((entry) => entry.protocol === protocol)
        .flatMap(({ port }) => [
          `  bind 0.0.0.0:${port}`,
          ...(settings.ipv6 ? [`  bind [::]:${port} v6only`] : []),
        ]),
      `  bind 0.0.0.0:${latePort}`,
    ].join('\n')
  const missing = '{ var(txn.slot) -m found }'
  const lookUp = (variable: string, condition: string) =>
    `  http-request set-var(txn.slot) var(${variable}),map_beg(${files.routes})${condition}`
  return `frontend ingress-http from http
${binds('http', listeners.lateHttp)}
  option forwardfor
${retryRule}
${countingRules('in')}
  http-request set-var(txn.host) req.hdr(host),host_only
  http-request set-var-fmt(txn.named) ":%[dst_port]|%[var(txn.host)]%[path]/"
${lookUp('txn.named', '')}
  http-request set-var-fmt(txn.any) ":%[dst_port]|*%[path]/" if !${missing}
${lookUp('txn.any', ` if !${missing}`)}
${lookUp('txn.named', ` if !${missing}`)}
  http-request return status 404 content-type application/json lf-string '{"error":"no-route","host":"%[var(txn.host),json(utf8s)]","path":"%[path,json(utf8s)]"}' if !${missing} { req.hdr(accept) -m sub application/json }
  http-request return status 404 content-type text/plain lf-string "404 Not Found\\n\\nBasalt has no route for %[var(txn.host)]%[path] on port %[dst_port]\\n" if !${missing}
  use_backend %[var(txn.slot)]

frontend ingress-tcp from tcp
${binds('tcp', listeners.lateTcp)}
  tcp-request content set-var-fmt(txn.key) ":%[dst_port]|tcp:"
  tcp-request content set-var(txn.slot) var(txn.key),map_beg(${files.routes})
  tcp-request content reject if !${missing}
  tcp-request content track-sc0 str(0),concat(:in:,txn.slot) table ${latencyTable}
  use_backend %[var(txn.slot)]
`
}

// Redirected connections arrive at the bridge's address, those of the host itself at loopback.
function edgeSections({ network, listeners }: HaproxyStart): string {
  const binds = (port: number) => `  bind ${network.gateway}:${port}\n  bind 127.0.0.1:${port}`
  return `frontend edge-http from http
${binds(listeners.edgeHttp)}
${retryRule}
${countingRules('edge')}
  http-request set-var-fmt(txn.edge) "%[dst]:%[dst_port]"
  http-request set-var(txn.slot) var(txn.edge),map(${files.edges})
  http-request return status 503 content-type text/plain lf-string "503 Service Unavailable\\n\\nBasalt: no group answers at %[dst]:%[dst_port]\\n" if !{ var(txn.slot) -m found }
  use_backend %[var(txn.slot)]

frontend edge-tcp from tcp
${binds(listeners.edgeTcp)}
  tcp-request content set-var-fmt(txn.edge) "%[dst]:%[dst_port]"
  tcp-request content set-var(txn.slot) var(txn.edge),map(${files.edges})
  tcp-request content reject if !{ var(txn.slot) -m found }
  use_backend %[var(txn.slot)]
`
}

function slotSections({ settings, state }: HaproxyStart): string {
  const servers = new Map<SlotName, string>()
  for (const [, group] of groupEntries(state))
    for (const { slot, port } of group.slots)
      servers.set(
        slot,
        memberEntries(group)
          .map(([instance, address]) => `  server ${instance} ${address}:${port} ${serverArguments}\n`)
          .join(''),
      )
  return (['http', 'tcp'] as const)
    .flatMap((protocol) =>
      Array.from({ length: settings.slots[protocol] }, (_, number) => {
        const slot = slotName(protocol, number)
        return `backend ${slot} from ${protocol}\n${servers.get(slot) ?? ''}`
      }),
    )
    .join('')
}
