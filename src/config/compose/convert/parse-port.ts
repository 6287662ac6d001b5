import type { ComposeMistakes } from '../compose-mistakes.ts'
import { type ComposeNode, type ComposePlace, member, textOf } from '../compose-node.ts'

export interface PublishedPort {
  readonly at: ComposePlace
  /** In the container. */
  readonly target: number
  /** On the machine; null: Compose chooses one. */
  readonly published: number | null
  readonly hostIp: string | null
  readonly protocol: string
  readonly appProtocol: string | null
}

const mostInRange = 64
const shortForm =
  /^(?:(?:\[([0-9a-f:.]+)\]|(\d{1,3}(?:\.\d{1,3}){3}|localhost)):(?:(\d+)(?:-(\d+))?)?:|(?:(\d+)(?:-(\d+))?:)?)(\d+)(?:-(\d+))?(?:\/([a-z]+))?$/i

/** One item of `ports` as its single ports. What cannot be understood is reported. */
export function parsePort(node: ComposeNode, mistakes: ComposeMistakes): readonly PublishedPort[] {
  return node.kind === 'map' ? parseLong(node, mistakes) : parseShort(node, mistakes)
}

function parseShort(node: ComposeNode, mistakes: ComposeMistakes): readonly PublishedPort[] {
  const text = textOf(node)?.text.trim() ?? ''
  const match = text.length > 200 ? null : shortForm.exec(text)
  const [, six, four, boundFrom, boundTo, from, to, first, last, protocol = 'tcp'] = match ?? []
  const hostFrom = boundFrom ?? from
  const target = rangeOf(first, last)
  const host = rangeOf(hostFrom, boundTo ?? to)
  if (match === null || target === null || (hostFrom !== undefined && host === null)) {
    mistakes.report(
      node.at,
      `${JSON.stringify(text.slice(0, 80))} is not a port`,
      'Write `8080`, `8080:80`, `127.0.0.1:8080:80` or `8080:80/tcp`, with numbers from 1 to 65535.',
    )
    return []
  }
  return pair(
    node,
    target,
    host,
    { hostIp: six ?? four ?? null, protocol: protocol.toLowerCase(), appProtocol: null },
    mistakes,
  )
}

function parseLong(node: ComposeNode, mistakes: ComposeMistakes): readonly PublishedPort[] {
  const read = (key: string): string | undefined => textOf(member(node, key))?.text.trim()
  const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(read('target') ?? '') ?? []
  const target = rangeOf(from, to)
  const [, hostFrom, hostTo] = /^(\d+)(?:-(\d+))?$/.exec(read('published') ?? '') ?? []
  if (target === null || (read('published') !== undefined && rangeOf(hostFrom, hostTo) === null)) {
    mistakes.report(
      node.at,
      target === null ? 'a port has no `target`' : '`published` is not a port',
      'Write `{ target: 80, published: 8080 }`, with numbers from 1 to 65535.',
    )
    return []
  }
  const host = rangeOf(hostFrom, hostTo)
  return pair(
    node,
    target,
    host,
    {
      hostIp: read('host_ip') ?? null,
      protocol: (read('protocol') ?? 'tcp').toLowerCase(),
      appProtocol: read('app_protocol')?.toLowerCase() ?? null,
    },
    mistakes,
  )
}

type Rest = Pick<PublishedPort, 'hostIp' | 'protocol' | 'appProtocol'>

/** Both ranges go side by side; a range for one port means any of it, so the first. */
function pair(
  node: ComposeNode,
  target: readonly number[],
  host: readonly number[] | null,
  rest: Rest,
  mistakes: ComposeMistakes,
): readonly PublishedPort[] {
  const isUneven = host !== null && target.length > 1 && host.length !== target.length
  if (isUneven || target.length > mostInRange) {
    const fact = isUneven
      ? 'the two ranges of ports differ in length'
      : `a range has more than ${mostInRange} ports`
    mistakes.report(node.at, fact, 'Name the ports that are used, one by one.')
    return []
  }
  return target.map((port, index) => ({
    at: node.at,
    target: port,
    published: host?.[index] ?? null,
    ...rest,
  }))
}

function rangeOf(from: string | undefined, to: string | undefined): readonly number[] | null {
  const [first, last] = [Number(from), Number(to ?? from)]
  if (!(first >= 1 && last >= first && last <= 65_535)) return null
  return Array.from({ length: Math.min(last - first, mostInRange) + 1 }, (_, index) => first + index)
}
