import type { GroupId, InstanceId } from '../../../core/ids.ts'
import type { RoutedGroup, Router } from '../../router.ts'
import { createBatch } from '../batch.ts'
import { edgeMap } from '../edge-map.ts'
import { handedOver } from '../group-changes.ts'
import { files } from '../haproxy-config.ts'
import { replaceMap } from '../haproxy-socket.ts'
import type { RouterContext } from '../router-context.ts'
import { type GroupSlot, withGroup } from '../router-state.ts'
import { addServer } from '../slot-servers.ts'
import { forgetGroups } from './forget.ts'
import { changeEdges, knowGroups } from './known-groups.ts'
import { drain, type Member, removeMembers } from './leave.ts'

export type GroupVerbs = Pick<Router, 'address' | 'join' | 'leave' | 'handOver' | 'forget'>

/** A deployment asks for many groups at the same time: what comes together is done together. */
export function createGroupVerbs(context: RouterContext): GroupVerbs {
  const address = createBatch(context, async (groups: readonly RoutedGroup[]) => {
    await knowGroups(context, groups)
    return groups.map(({ id }) => context.state().groups[id]?.address ?? '')
  })
  const join = createBatch(context, async (joining: readonly Joining[]) => {
    await joinGroups(context, joining)
    return joining
  })
  const remove = createBatch(context, async (leaving: readonly Member[]) => {
    await removeMembers(context, leaving)
    return leaving
  })
  const forget = createBatch(context, async (ids: readonly GroupId[]) => {
    await forgetGroups(context, ids)
    return ids
  })
  return {
    address,
    async join(group, instance, at) {
      await join({ group, instance, at })
    },
    async leave(id, instance, drainMs, op) {
      if (context.state().groups[id]?.members[instance] === undefined) return
      await drain(context, { id, instance }, drainMs, op)
      await remove({ id, instance })
    },
    handOver: (from, to) => context.exclusively(() => handOver(context, from, to)),
    async forget(id) {
      await forget(id)
    },
  }
}

interface Joining {
  readonly group: RoutedGroup
  readonly instance: InstanceId
  /** IPv4 address. */
  readonly at: string
}

async function joinGroups(context: RouterContext, joining: readonly Joining[]): Promise<void> {
  await knowGroups(
    context,
    joining.map(({ group }) => group),
  )
  let next = context.state()
  const servers: { slot: GroupSlot; instance: InstanceId; at: string }[] = []
  let edgesChange = false
  for (const { group, instance, at } of joining) {
    const record = next.groups[group.id]
    if (record === undefined) continue
    edgesChange ||= record.handedTo !== null
    servers.push(...record.slots.map((slot) => ({ slot, instance, at })))
    const members = { ...record.members, [instance]: at }
    next = withGroup(next, group.id, { ...record, members, handedTo: null, leaving: false })
  }
  await context.change(next, async (socket) => {
    await Promise.all(servers.map(({ slot, instance, at }) => addServer(socket, slot, instance, at)))
    if (edgesChange) await replaceMap(socket, files.edges, edgeMap(next))
  })
}

async function handOver(context: RouterContext, from: GroupId, to: RoutedGroup): Promise<void> {
  await knowGroups(context, [to])
  // Nobody can know the address of a group that was forgotten, by a reboot for example.
  if (context.state().groups[from] === undefined) return
  await changeEdges(context, handedOver(context.state(), from, to.id))
}
