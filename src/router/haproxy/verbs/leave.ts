import { setTimeout as sleep } from 'node:timers/promises'
import type { GroupId, InstanceId } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import type { RouterContext } from '../router-context.ts'
import { type GroupSlot, withGroup } from '../router-state.ts'
import type { SlotName } from '../slot-name.ts'
import { drainServer, removeServer, requestsInFlight } from '../slot-servers.ts'

export interface Member {
  readonly id: GroupId
  readonly instance: InstanceId
}

/**
 * How long tcp sessions of a group that was handed over are waited for. Nobody answers at its address meanwhile, and
 * a client that keeps its session (of a database, say) ends it only when it is cut.
 */
const handedOverSessionMs = 250

/** No new requests for it; resolves when none is in flight or the time is over. */
export async function drain(
  context: RouterContext,
  { id, instance }: Member,
  drainMs: number,
  op: Op,
): Promise<void> {
  const group = context.state().groups[id]
  if (group === undefined) return
  await context.ask(({ socket }) =>
    Promise.all(group.slots.map(({ slot }) => drainServer(socket, slot, instance))),
  )
  const patienceMs = Math.min(drainMs, op.deadline === undefined ? drainMs : op.deadline - context.now())
  const sessionMs = group.handedTo === null ? patienceMs : Math.min(patienceMs, handedOverSessionMs)
  await Promise.all([
    drained(context, slotsOf(group.slots, 'http'), instance, patienceMs, op),
    drained(context, slotsOf(group.slots, 'tcp'), instance, sessionMs, op),
  ])
}

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
    await sleep(Math.max(1, Math.min(pauseMs, until - performance.now())), undefined, { signal: op.signal })
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

/** Cuts what is still in flight. Only inside `exclusively`. */
export async function removeMembers(context: RouterContext, leaving: readonly Member[]): Promise<void> {
  let next = context.state()
  for (const { id, instance } of leaving) {
    const group = next.groups[id]
    if (group === undefined) continue
    const { [instance]: _, ...members } = group.members
    next = withGroup(next, id, { ...group, members })
  }
  const { groups } = next
  await context.change(next, async (socket) => {
    await Promise.all(
      leaving.flatMap(({ id, instance }) =>
        (groups[id]?.slots ?? []).map(({ slot }) => removeServer(socket, slot, instance)),
      ),
    )
  })
}
