import { setTimeout as sleep } from 'node:timers/promises'
import type { GroupId, InstanceId } from '../../core/ids.ts'
import { serverArguments } from './haproxy-config.ts'
import { type HaproxySocket, tell } from './haproxy-socket.ts'
import { type GroupSlot, groupEntries, memberEntries, type RouterState } from './router-state.ts'
import { inFlight, parseStat } from './slot-counters.ts'
import { isSlotName, type SlotName } from './slot-name.ts'

/** A server of HAProxy: one port of one instance. */
export interface SlotServer {
  readonly slot: SlotName
  readonly instance: InstanceId
  /** It answers checks and nobody took it out of traffic. */
  readonly ready: boolean
}

/** Puts an instance's port into traffic, at once. One that is there already, drained perhaps, is made ready. */
export async function addServer(
  socket: HaproxySocket,
  { slot, port }: GroupSlot,
  instance: InstanceId,
  address: string,
): Promise<void> {
  const server = `${slot}/${instance}`
  await Promise.all([
    tell(
      socket,
      `add server ${server} ${address}:${port} ${serverArguments}`,
      /^New server registered\.$|^Already exists/,
    ),
    tell(socket, `enable health ${server}`),
    tell(socket, `set server ${server} state ready`),
  ])
}

/** No new requests for it; those in flight go on. */
export const drainServer = (socket: HaproxySocket, slot: SlotName, instance: InstanceId): Promise<string> =>
  tell(socket, `set server ${slot}/${instance} state drain`, /^$|^No such server\.$/)

export async function requestsInFlight(
  socket: HaproxySocket,
  slot: SlotName,
  instance: InstanceId,
): Promise<number> {
  const rows = parseStat(await socket.ask(`show stat ${slot} 4 -1`))
  const row = rows.find((candidate) => candidate.get('svname') === instance)
  return row === undefined ? 0 : inFlight(row)
}

const removalTries = 40

/**
 * Removes a server, and cuts what is still in flight there. Removing the absent is success. Should a connection hold
 * on to it all the same, then it stays in maintenance, where it gets no traffic, until the router is adopted next.
 */
export async function removeServer(
  socket: HaproxySocket,
  slot: SlotName,
  instance: InstanceId,
): Promise<void> {
  const server = `${slot}/${instance}`
  for (let attempt = 1; attempt <= removalTries; attempt++) {
    const [answer, count] = await Promise.all([
      tell(socket, `set server ${server} state maint`, /^$|^No such server\.$/),
      requestsInFlight(socket, slot, instance),
    ])
    if (answer !== '') return
    if (count > 0) await tell(socket, `shutdown sessions server ${server}`)
    // A server with idle connections cannot be removed, and HAProxy closes those of a server in maintenance only
    // bit by bit; it closes all of them at once when the server's address changes.
    const [, deleted] = await Promise.all([
      socket.ask(`set server ${server} addr 127.0.0.1 port ${attempt}`),
      tell(socket, `del server ${server}`, /^Server deleted\.$|^No such server\.$|still has connections/),
    ])
    if (!deleted.includes('still has')) return
    await sleep(Math.min(attempt * 2, 25))
  }
}

/** Every server that HAProxy has. */
export async function listServers(socket: HaproxySocket): Promise<readonly SlotServer[]> {
  const answer = await tell(socket, 'show servers state', /^1\n/)
  return answer
    .split('\n')
    .slice(2)
    .map((line) => line.split(' '))
    .filter(([, slot]) => slot !== undefined && isSlotName(slot))
    .map(([, slot, , instance, , operational, administrative]) => ({
      slot: slot as SlotName,
      instance: instance as InstanceId,
      // Operational: 0 stopped, 1 starting, 2 running, 3 stopping. Administrative: a mask of reasons not to use it.
      ready: (operational === '1' || operational === '2') && administrative === '0',
    }))
}

/** Makes HAProxy have the servers that the state names. Those that it has already are left as they are. */
export async function reconcileServers(socket: HaproxySocket, state: RouterState): Promise<void> {
  const present = new Set((await listServers(socket)).map(({ slot, instance }) => `${slot}/${instance}`))
  const changes: Promise<void>[] = []
  for (const [, group] of groupEntries(state))
    for (const [instance, address] of memberEntries(group))
      for (const slot of group.slots)
        if (!present.delete(`${slot.slot}/${instance}`))
          changes.push(addServer(socket, slot, instance, address))
  for (const surplus of present) {
    const [slot, instance] = surplus.split('/') as [SlotName, InstanceId]
    changes.push(removeServer(socket, slot, instance))
  }
  await Promise.all(changes)
}

/** Instances with at least one port in traffic, by group. */
export function readyMembers(
  servers: readonly SlotServer[],
  state: RouterState,
): ReadonlyMap<GroupId, readonly InstanceId[]> {
  const ready = new Map<SlotName, InstanceId[]>()
  for (const server of servers)
    if (server.ready) ready.set(server.slot, [...(ready.get(server.slot) ?? []), server.instance])
  return new Map(
    groupEntries(state).flatMap(([id, group]) => {
      const members = new Set(group.slots.flatMap(({ slot }) => ready.get(slot) ?? []))
      return members.size === 0 ? [] : [[id, [...members].sort()] as const]
    }),
  )
}
