import { setTimeout as sleep } from 'node:timers/promises'
import type { GroupId, InstanceId } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { identityText } from '../../../util/process-identity.ts'
import type { RoutedGroup } from '../../router.ts'
import { chooseSlots, edgeKind } from '../choose-slots.ts'
import { edgeMap } from '../edge-map.ts'
import { forgotten, handedOver } from '../group-changes.ts'
import { files, latencyTable } from '../haproxy-config.ts'
import { type HaproxySocket, replaceMap, tell } from '../haproxy-socket.ts'
import { parseLatencyTable } from '../latency-table.ts'
import type { RouterContext } from '../router-context.ts'
import {
  type GroupRecord,
  type GroupSlot,
  groupEntries,
  memberEntries,
  type RouterState,
  withGroup,
} from '../router-state.ts'
import { addressRanges, chooseAddress } from '../service-address.ts'
import { plus } from '../slot-counters.ts'
import type { SlotName } from '../slot-name.ts'
import { addServer, drainServer, removeServer, requestsInFlight } from '../slot-servers.ts'
import { entryCounters } from '../traffic-figures.ts'
import { countedBy, slotCountersOf } from './traffic.ts'

export const address = (context: RouterContext, group: RoutedGroup): Promise<string> =>
  context.exclusively(async () => (await known(context, group)).address)

export const join = (
  context: RouterContext,
  group: RoutedGroup,
  instance: InstanceId,
  at: string,
): Promise<void> =>
  context.exclusively(async () => {
    const record = await known(context, group)
    const members = { ...record.members, [instance]: at }
    const next = withGroup(context.state(), group.id, { ...record, members, handedTo: null })
    await context.change(next, async (socket) => {
      for (const slot of record.slots) await addServer(socket, slot, instance, at)
      if (record.handedTo !== null) await replaceMap(socket, files.edges, edgeMap(next))
    })
  })

export async function leave(
  context: RouterContext,
  id: GroupId,
  instance: InstanceId,
  drainMs: number,
  op: Op,
): Promise<void> {
  const leaving = context.state().groups[id]
  if (leaving?.members[instance] === undefined) return
  const { slots } = leaving
  await context.ask(async ({ socket }) => {
    for (const { slot } of slots) await drainServer(socket, slot, instance)
  })
  const patienceMs = Math.min(drainMs, op.deadline === undefined ? drainMs : op.deadline - context.now())
  const sessionMs = leaving.handedTo === null ? patienceMs : Math.min(patienceMs, handedOverSessionMs)
  await Promise.all([
    drained(context, slotsOf(slots, 'http'), instance, patienceMs, op),
    drained(context, slotsOf(slots, 'tcp'), instance, sessionMs, op),
  ])

  await context.exclusively(async () => {
    const group = context.state().groups[id]
    if (group === undefined) return
    const { [instance]: _, ...members } = group.members
    await context.change(withGroup(context.state(), id, { ...group, members }), async (socket) => {
      for (const { slot } of slots) await removeServer(socket, slot, instance)
    })
  })
}

/**
 * How long tcp sessions of a group that was handed over are waited for. Nobody answers at its address meanwhile, and
 * a client that keeps its session (of a database, say) ends it only when it is cut.
 */
const handedOverSessionMs = 250

const slotsOf = (slots: readonly GroupSlot[], protocol: GroupSlot['protocol']): readonly SlotName[] =>
  slots.filter((slot) => slot.protocol === protocol).map(({ slot }) => slot)

/** Waits until an instance has nothing in flight in some slots, at most `patienceMs`. */
async function drained(
  context: RouterContext,
  slots: readonly SlotName[],
  instance: InstanceId,
  patienceMs: number,
  op: Op,
): Promise<void> {
  if (slots.length === 0) return
  // Not the clock of the wall: somebody may set that back.
  const until = performance.now() + patienceMs
  let quiet = 0
  // Twice, as a request that chose the instance just before the drain may not be counted yet.
  for (let pauseMs = 2; quiet < 2 && performance.now() < until; pauseMs = Math.min(pauseMs * 1.5, 25)) {
    await sleep(Math.min(pauseMs, until - performance.now()), undefined, { signal: op.signal })
    const counts = await context.ask(({ socket }) =>
      Promise.all(slots.map((slot) => requestsInFlight(socket, slot, instance))),
    )
    if (counts.some((count) => count > 0)) quiet = 0
    else {
      quiet++
      pauseMs = 1
    }
  }
}

export const handOver = (context: RouterContext, from: GroupId, to: RoutedGroup): Promise<void> =>
  context.exclusively(async () => {
    await known(context, to)
    // Nobody can know the address of a group that was forgotten, by a reboot for example.
    if (context.state().groups[from] === undefined) return
    await changeEdges(context, handedOver(context.state(), from, to.id))
  })

export const forget = (context: RouterContext, id: GroupId): Promise<void> =>
  context.exclusively(async () => {
    const state = context.state()
    const group = state.groups[id]
    if (group === undefined || group.forgotten) return
    assertUnrouted(state, id)
    const retired = await retire(context, group)
    const next = { ...forgotten(state, id), retired }
    await context.change(next, async (socket) => {
      await replaceMap(socket, files.edges, edgeMap(next))
      for (const [instance] of memberEntries(group))
        for (const { slot } of group.slots) await removeServer(socket, slot, instance)
    })
  })

function assertUnrouted(state: RouterState, id: GroupId): void {
  const table = Object.values(state.tables).find(({ entries }) => entries.some(({ group }) => group === id))
  if (table === undefined) return
  throw new BasaltError('router.failed', {
    message: `${id} cannot be forgotten: ${table.environment} routes to it`,
    details: { group: id, environment: table.environment },
  })
}

/** An environment's figures keep what a forgotten group has counted. */
async function retire(context: RouterContext, group: GroupRecord): Promise<RouterState['retired']> {
  const { retired } = context.state()
  const counted = await context.ask((running) => countedBy(running, [group]))
  const own = entryCounters(group, counted)
  const before = retired[group.environment]
  const sum = before?.process === counted.process ? plus(before, own) : own
  return { ...retired, [group.environment]: { process: counted.process, ...sum } }
}

/** The group's record; made with an address and slots of its own when it is new. */
async function known(context: RouterContext, group: RoutedGroup): Promise<GroupRecord> {
  const state = context.state()
  const before = state.groups[group.id]
  if (before !== undefined && !before.forgotten) return before
  const { process } = await context.supervisor.ensure()
  const { slots, nextSlot } = chooseSlots(state, group.ports, process.slots)
  const made: GroupRecord = {
    environment: group.environment,
    ports: group.ports,
    address: before?.address ?? freeAddress(context, group),
    slots,
    members: {},
    handedTo: before?.handedTo ?? null,
    forgotten: false,
    baseline: await baselineOf(context, slots),
  }
  await changeEdges(context, { ...withGroup(state, group.id, made), nextSlot })
  return made
}

function freeAddress(context: RouterContext, group: RoutedGroup): string {
  const taken = new Set(groupEntries(context.state()).map(([, other]) => other.address))
  const range = addressRanges(context.network.serviceRange)[edgeKind(group.ports)]
  return chooseAddress(group.id, range, taken)
}

/** What the slots' earlier groups have counted is not this one's. */
const baselineOf = (context: RouterContext, slots: readonly GroupSlot[]): Promise<GroupRecord['baseline']> =>
  context.ask(async ({ process, socket }) => {
    const counters = await slotCountersOf(
      socket,
      slots.map(({ slot }) => slot),
    )
    const used = [...counters].filter(([, { requests }]) => requests > 0).map(([slot]) => slot)
    if (used.length > 0) await clearLatencies(socket, new Set(used))
    return { process: identityText(process.identity), counters: Object.fromEntries(counters) }
  })

async function clearLatencies(socket: HaproxySocket, slots: ReadonlySet<SlotName>): Promise<void> {
  for (const { key, slot } of parseLatencyTable(await socket.ask(`show table ${latencyTable}`)))
    if (slots.has(slot)) await tell(socket, `clear table ${latencyTable} key ${key}`, /^$|in use/)
}

const changeEdges = (context: RouterContext, next: RouterState): Promise<void> =>
  context.change(next, (socket) => replaceMap(socket, files.edges, edgeMap(next)))
