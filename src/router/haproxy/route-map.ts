import type { EnvironmentId, GroupId } from '../../core/ids.ts'
import type { RouteEntry, RouteTable } from '../../core/route-table.ts'
import { BasaltError } from '../../errors.ts'
import { type GroupRecord, groupEntries, type RouterState } from './router-state.ts'
import type { SlotName } from './slot-name.ts'

/**
 * The map of all ways in, as HAProxy looks them up: the longest key that begins `:<port>|<host><path>/` wins, so a
 * route's path ends in a slash here and matches whole segments only. One more line per environment says which
 * generation serves; no lookup can meet it, and it changes in the same transaction.
 *
 *     :8080|shop.example/api/ h12
 *     :5432|tcp: t3
 *     env:shop/staging 7
 */
export type MapLine = readonly [key: string, value: string]

const generationKey = (environment: EnvironmentId): string => `env:${environment}`

export const entryKey = (entry: RouteEntry): string =>
  entry.kind === 'tcp'
    ? `:${entry.entryPort}|tcp:`
    : `:${entry.entryPort}|${entry.host}${entry.path.endsWith('/') ? entry.path : `${entry.path}/`}`

/** Rejects with `router.failed` when a table names a group or a port that the router does not know. */
export function routeMap(state: RouterState): readonly MapLine[] {
  return Object.values(state.tables).flatMap((table: RouteTable) => [
    ...(table.generation === null
      ? []
      : [[generationKey(table.environment), String(table.generation)] as const]),
    ...table.entries.map((entry) => [entryKey(entry), slotOf(state, entry)] as const),
  ])
}

function slotOf(state: RouterState, entry: RouteEntry): SlotName {
  const group: GroupRecord | undefined = state.groups[entry.group]
  const slot = group?.slots.find(({ port, protocol }) => port === entry.port && protocol === entry.kind)
  if (slot !== undefined) return slot.slot
  throw new BasaltError('router.failed', {
    message:
      group === undefined
        ? `the router does not know the group ${entry.group}`
        : `${entry.group} has no port ${entry.port} that speaks ${entry.kind}`,
    details: { group: entry.group, port: entry.port, kind: entry.kind },
  })
}

/** The tables that a map really holds. Lines of slots that no known group has are left out. */
export function tablesOf(
  lines: readonly MapLine[],
  state: RouterState,
): Readonly<Record<EnvironmentId, RouteTable>> {
  const owners = new Map(
    groupEntries(state).flatMap(([id, group]) =>
      group.slots.map(
        ({ slot, port }) => [slot as string, { id, port, environment: group.environment }] as const,
      ),
    ),
  )
  const tables: Record<EnvironmentId, { generation: number | null; entries: RouteEntry[] }> = {}
  const tableOf = (environment: EnvironmentId) => (tables[environment] ??= { generation: null, entries: [] })

  for (const [key, value] of lines) {
    if (key.startsWith('env:')) tableOf(key.slice(4) as EnvironmentId).generation = Number(value)
    const owner = owners.get(value)
    if (owner === undefined) continue
    const entry = entryOf(key, owner.id, owner.port)
    if (entry !== null) tableOf(owner.environment).entries.push(entry)
  }
  return Object.fromEntries(
    Object.entries(tables).map(([environment, table]) => [
      environment,
      { environment: environment as EnvironmentId, ...table },
    ]),
  )
}

function entryOf(key: string, group: GroupId, port: number): RouteEntry | null {
  const match = /^:(\d+)\|(?:(tcp:)|([^/]+)(\/.*))$/.exec(key)
  if (match === null) return null
  const entryPort = Number(match[1])
  if (match[2] !== undefined) return { kind: 'tcp', entryPort, group, port }
  const path = match[4] ?? '/'
  const host = match[3] ?? '*'
  return { kind: 'http', entryPort, host, path: path === '/' ? path : path.slice(0, -1), group, port }
}

/** A word of a map line: no white space, and nothing that the command line of HAProxy reads in its own way. */
const wordPattern = /^[!-~]+$/

/**
 * Rejects with `route.conflict` when a way in is another environment's or is there twice, or when a port is to speak
 * both http and tcp; with `router.failed` when a host or path cannot be said in a map.
 */
export function assertRoutable(table: RouteTable, others: readonly RouteTable[]): void {
  const held = new Map<string, EnvironmentId>()
  const portKinds = new Map<number, { kind: RouteEntry['kind']; environment: EnvironmentId }>()
  for (const { environment, entries } of others)
    for (const entry of entries) {
      held.set(entryKey(entry), environment)
      portKinds.set(entry.entryPort, { kind: entry.kind, environment })
    }
  for (const entry of table.entries) {
    const key = entryKey(entry)
    if (!wordPattern.test(key) || key.includes('\\'))
      throw new BasaltError('router.failed', { message: `the route ${wayIn(entry)} cannot be routed` })
    const kind = portKinds.get(entry.entryPort)
    const holder = held.get(key) ?? (kind !== undefined && kind.kind !== entry.kind ? kind.environment : null)
    if (holder !== null) throw conflict(table, entry, holder)
    held.set(key, table.environment)
    portKinds.set(entry.entryPort, { kind: entry.kind, environment: table.environment })
  }
}

const conflict = (table: RouteTable, entry: RouteEntry, holder: EnvironmentId): BasaltError =>
  new BasaltError('route.conflict', {
    message:
      holder === table.environment
        ? `${table.environment} uses ${wayIn(entry)} twice`
        : `${table.environment} wants ${wayIn(entry)}, which belongs to ${holder}`,
    remedy: 'Give one of them another host, path or port under `expose` in basalt.yaml.',
    details: { environment: table.environment, holder, entry },
  })

export const wayIn = (entry: RouteEntry): string =>
  entry.kind === 'tcp'
    ? `tcp port ${entry.entryPort}`
    : `http://${entry.host}:${entry.entryPort}${entry.path}`
