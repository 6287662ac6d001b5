import * as z from 'zod'
import type { EnvironmentId, GroupId, InstanceId } from '../../core/ids.ts'
import type { RouteTable } from '../../core/route-table.ts'
import type { Port } from '../../core/system.ts'
import { BasaltError } from '../../errors.ts'
import type { EntryPort } from '../router.ts'
import type { SlotCounters } from './slot-counters.ts'
import type { SlotName } from './slot-name.ts'

/**
 * All that a router needs to begin anew: recorded before HAProxy is told, so that a HAProxy that died is
 * started with exactly what was wanted of it. Values are never changed in place.
 */
export interface RouterState {
  readonly schema: 'basalt.router/v1'
  /** Of the kernel that the groups live under. */
  readonly bootId: string
  readonly entryPorts: readonly EntryPort[]
  readonly groups: Readonly<Record<GroupId, GroupRecord>>
  readonly tables: Readonly<Record<EnvironmentId, RouteTable>>
  readonly nextSlot: { readonly http: number; readonly tcp: number }
  /** What groups counted that are forgotten, by environment. */
  readonly retired: Readonly<Record<EnvironmentId, RetiredCounters>>
}

export interface GroupRecord {
  readonly environment: EnvironmentId
  readonly ports: readonly Port[]
  readonly address: string
  /** By protocol and port. Edges to a group use one protocol for all its ports; ways in use the port's own. */
  readonly slots: readonly GroupSlot[]
  /** Instance to IPv4 address. */
  readonly members: Readonly<Record<InstanceId, string>>
  /** Its address is answered by this group, until an instance joins. */
  readonly handedTo: GroupId | null
  /** Kept for its address alone, which `handedTo` answers; it has no slots. */
  readonly forgotten: boolean
  /** To be forgotten as soon as no table routes to it any more. */
  readonly leaving: boolean
  /** What the slots had counted when the group got them, and in which HAProxy process. */
  readonly baseline: { readonly process: string; readonly counters: Readonly<Record<SlotName, SlotCounters>> }
}

export interface GroupSlot {
  readonly slot: SlotName
  readonly port: number
  readonly protocol: 'http' | 'tcp'
}

export interface RetiredCounters extends SlotCounters {
  readonly process: string
}

export const emptyState: RouterState = {
  schema: 'basalt.router/v1',
  bootId: '',
  entryPorts: [],
  groups: {},
  tables: {},
  nextSlot: { http: 0, tcp: 0 },
  retired: {},
}

const protocol = z.enum(['http', 'tcp'])
const port = z.int().min(1).max(65535)
const counters = z.object({ requests: z.number(), failed: z.number() })
const routeEntry = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('http'),
    entryPort: port,
    host: z.string(),
    path: z.string(),
    group: z.string(),
    port,
  }),
  z.object({ kind: z.literal('tcp'), entryPort: port, group: z.string(), port }),
])
const stateSchema = z.object({
  schema: z.literal('basalt.router/v1'),
  bootId: z.string(),
  entryPorts: z.array(z.object({ port, protocol })),
  groups: z.record(
    z.string(),
    z.object({
      environment: z.string(),
      ports: z.array(z.object({ port, protocol })),
      address: z.ipv4(),
      slots: z.array(z.object({ slot: z.string().regex(/^[ht]\d+$/), port, protocol })),
      members: z.record(z.string(), z.ipv4()),
      handedTo: z.string().nullable(),
      forgotten: z.boolean(),
      leaving: z.boolean().default(false),
      baseline: z.object({ process: z.string(), counters: z.record(z.string(), counters) }),
    }),
  ),
  tables: z.record(
    z.string(),
    z.object({ environment: z.string(), generation: z.int().nullable(), entries: z.array(routeEntry) }),
  ),
  nextSlot: z.object({ http: z.int(), tcp: z.int() }),
  retired: z.record(z.string(), counters.extend({ process: z.string() })),
})

/** Reads what `serialiseState` wrote. Rejects with `router.failed` when it is damaged. */
export function parseState(text: string, path: string): RouterState {
  try {
    return stateSchema.parse(JSON.parse(text)) as unknown as RouterState
  } catch (cause) {
    throw new BasaltError('router.failed', {
      message: `the router's record ${path} cannot be read`,
      remedy: 'Move the file away; then `basalt deploy` sets the routes anew.',
      details: { path },
      cause,
    })
  }
}

export const serialiseState = (state: RouterState): string => `${JSON.stringify(state, null, 1)}\n`

export const groupEntries = (state: RouterState): readonly (readonly [GroupId, GroupRecord])[] =>
  Object.entries(state.groups) as [GroupId, GroupRecord][]

export const memberEntries = (group: GroupRecord): readonly (readonly [InstanceId, string])[] =>
  Object.entries(group.members) as [InstanceId, string][]

export const withGroup = (state: RouterState, id: GroupId, group: GroupRecord): RouterState => ({
  ...state,
  groups: { ...state.groups, [id]: group },
})

/** Nobody would notice if the router stopped for a moment. */
export const servesNothing = (state: RouterState): boolean =>
  Object.keys(state.tables).length === 0 &&
  groupEntries(state).every(([, group]) => Object.keys(group.members).length === 0)
