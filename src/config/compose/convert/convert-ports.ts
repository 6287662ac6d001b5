import { type ComposePlace, member, textsOf } from '../compose-node.ts'
import type { ServiceDraft } from '../service-draft.ts'
import { type PublishedPort, parsePort } from './parse-port.ts'

/** The ports that a browser finds by itself, and those that people choose in their place. */
const favourites = [80, 8080, 8000, 3000]

/** The entry ports of the environment: one for HTTP, all others by themselves. */
export class EntryPorts {
  /** Where HTTP is published to the outside; null: nowhere. */
  readonly ingress: number | null
  readonly #owners = new Map<number, string>()

  constructor(drafts: Iterable<ServiceDraft>) {
    const candidates: number[] = []
    for (const draft of drafts)
      for (const port of publishedPorts(draft))
        if (isOpen(port) && port.published !== null && isHttpPublished(draft, port))
          candidates.push(port.published)
    this.ingress = favourites.find((port) => candidates.includes(port)) ?? candidates[0] ?? null
  }

  /** The service that has the port already; null: it is free, and taken now. */
  take(port: number, service: string): string | null {
    const owner = this.#owners.get(port)
    if (owner === undefined) this.#owners.set(port, service)
    return owner ?? null
  }

  /** The environment's `ingress`, where nothing is published too: a port that nothing else has. */
  ingressOr(usual: number): number {
    if (this.ingress !== null) return this.ingress
    let port = usual
    while (this.#owners.has(port)) port++
    return port
  }
}

function publishedPorts(draft: ServiceDraft): readonly PublishedPort[] {
  const list = member(draft.service.block, 'ports')
  return (list?.kind === 'list' ? list.items : []).flatMap((item) => parsePort(item, draft.mistakes))
}

const isLoopback = (hostIp: string | null): boolean =>
  hostIp !== null && /^(?:127\.|::1$|localhost$)/.test(hostIp)
const isOpen = ({ protocol, hostIp }: PublishedPort): boolean => protocol === 'tcp' && !isLoopback(hostIp)

export interface DeclaredPort {
  readonly port: number
  readonly isHttp: boolean
}

/** Ports at which HTTP is usual. */
const isHttpPort = (port: number): boolean =>
  [80, 81, 1337, 2368, 4200, 5173, 5601, 9090, 9091, 9093, 9100, 15_672].includes(port) ||
  (port >= 3000 && port <= 3100) ||
  (port >= 4000 && port <= 4010) ||
  (port >= 5000 && port <= 5010) ||
  (port >= 7000 && port <= 7010) ||
  (port >= 8000 && port <= 9000 && port !== 8443 && port !== 8883)

export const looksLikeHttp = (draft: ServiceDraft, port: number): boolean =>
  draft.hints.ports.find((known) => known.port === port)?.isHttp ?? isHttpPort(port)

/** `ports` and `expose` to the service's ports and its ways in. */
export function convertPorts(draft: ServiceDraft, entries: EntryPorts): void {
  const declared = new Map<number, boolean>()
  const ways: Record<string, unknown>[] = []
  for (const port of publishedPorts(draft)) {
    if (port.protocol !== 'tcp') {
      const fact = `${port.target}/${port.protocol}: the router knows HTTP and TCP`
      draft.tell('refused', 'ports', port.at, fact, 'ports')
      continue
    }
    const isHttp = declared.get(port.target) ?? isHttpPublished(draft, port)
    declared.set(port.target, isHttp)
    const way = wayIn(draft, port, isHttp, entries)
    if (way !== null) ways.push(way)
  }
  for (const text of textsOf(member(draft.service.block, 'expose')))
    for (const port of parsePort(text, draft.mistakes)) {
      if (port.protocol !== 'tcp')
        draft.tell(
          'refused',
          'expose',
          port.at,
          `${port.target}/${port.protocol}: only HTTP and TCP`,
          'ports',
        )
      else if (!declared.has(port.target)) {
        const isHttp = looksLikeHttp(draft, port.target)
        declared.set(port.target, isHttp)
        draft.tell('carried', 'expose', text.at, portText({ port: port.target, isHttp }))
      }
    }
  setPorts(
    draft,
    [...declared].map(([port, isHttp]) => ({ port, isHttp })),
  )
  if (ways.length > 0) draft.manifest['expose'] = exposeOf(ways, [...declared.values()])
}

/** Adds a port that the Compose file does not declare. */
export function addPort(draft: ServiceDraft, added: DeclaredPort, at: ComposePlace, why: string): void {
  const ports = portsOf(draft)
  if (ports.some(({ port }) => port === added.port)) return
  setPorts(draft, [...ports, added])
  draft.tell('changed', 'ports', at, `${portText(added)} ${why}`, 'ports')
}

export function portsOf({ manifest }: ServiceDraft): readonly DeclaredPort[] {
  const written = (manifest['ports'] ??
    (manifest['port'] === undefined ? [] : [manifest['port']])) as readonly (number | string)[]
  return written.map((port) =>
    typeof port === 'number'
      ? { port, isHttp: true }
      : { port: Number(port.replace('/tcp', '')), isHttp: !port.endsWith('/tcp') },
  )
}

function setPorts({ manifest }: ServiceDraft, ports: readonly DeclaredPort[]): void {
  delete manifest['port']
  delete manifest['ports']
  const [first] = ports
  if (ports.length === 1 && first !== undefined) manifest['port'] = writtenPort(first)
  else if (ports.length > 1) manifest['ports'] = ports.map(writtenPort)
}

const writtenPort = ({ port, isHttp }: DeclaredPort): number | string => (isHttp ? port : `${port}/tcp`)
const portText = (port: DeclaredPort): string => `port ${port.port} (${port.isHttp ? 'HTTP' : 'TCP'})`

const isHttpPublished = (draft: ServiceDraft, { appProtocol, target }: PublishedPort): boolean =>
  appProtocol === null ? looksLikeHttp(draft, target) : /^(?:http|http2|h2c|ws|grpc)$/.test(appProtocol)

function wayIn(
  draft: ServiceDraft,
  port: PublishedPort,
  isHttp: boolean,
  entries: EntryPorts,
): Record<string, unknown> | null {
  const { target, published, hostIp, at } = port
  const told = portText({ port: target, isHttp })
  const tell = (text: string, fate: 'carried' | 'changed' | 'refused' = 'changed'): null => {
    draft.tell(fate, 'ports', at, text, fate === 'refused' ? 'ports' : 'expose')
    return null
  }
  if (published === null)
    return tell(`${told}: no port of the machine is named; add \`expose\` if it is wanted`)
  if (isLoopback(hostIp))
    return tell(
      `${told}: published on ${hostIp} only; entry ports answer at every address, so it is not exposed`,
      'refused',
    )
  const owner = entries.take(published, draft.name)
  if (owner !== null)
    return tell(`${told}: entry port ${published} belongs to \`${owner}\` already`, 'refused')
  const address =
    hostIp === null || hostIp === '0.0.0.0' || hostIp === '::' ? '' : `; at every address, not only ${hostIp}`
  if (!isHttp) {
    tell(`${told} at entry port ${published}${address}`, address === '' ? 'carried' : 'changed')
    return { tcp: published, port: target }
  }
  const isIngress = published === entries.ingress
  tell(`${told} at entry port ${published}; write \`${target}/tcp\` if it is not HTTP${address}`)
  return isIngress ? { port: target } : { listen: published, port: target }
}

/** `true` where nothing has to be said. */
function exposeOf(ways: readonly Record<string, unknown>[], declared: readonly boolean[]): unknown {
  const [only] = ways
  if (ways.length > 1 || only === undefined) return ways
  const isPlain = Object.keys(only).join() === 'port' && declared.filter((isHttp) => isHttp).length === 1
  return isPlain ? true : only
}
