import type { Port } from '../../core/system.ts'
import { BasaltError } from '../../errors.ts'
import { type GroupSlot, groupEntries, type RouterState } from './router-state.ts'
import { type Protocol, type SlotCounts, slotName } from './slot-name.ts'

/** HTTP only where every port is: one address is answered by one listener, which speaks one protocol. */
export const edgeKind = (ports: readonly Port[]): Protocol =>
  ports.length > 0 && ports.every((port) => port.protocol === 'http') ? 'http' : 'tcp'

/** The slots that a group with these ports needs: its edges' protocol for each, and http for ways in by http. */
function needed(ports: readonly Port[]): readonly Omit<GroupSlot, 'slot'>[] {
  const edge = edgeKind(ports)
  return ports.flatMap(({ port, protocol }) => [
    { port, protocol: edge },
    ...(protocol === edge ? [] : [{ port, protocol }]),
  ])
}

/**
 * Free slots for a group. They are taken in turn, so that one that was given back rests for as long as possible.
 * Rejects with `router.full`.
 */
export function chooseSlots(
  state: RouterState,
  ports: readonly Port[],
  counts: SlotCounts,
): { readonly slots: readonly GroupSlot[]; readonly nextSlot: RouterState['nextSlot'] } {
  const taken = new Set(groupEntries(state).flatMap(([, group]) => group.slots.map(({ slot }) => slot)))
  const nextSlot = { ...state.nextSlot }
  const slots = needed(ports).map((need) => {
    for (let tries = 0; tries < counts[need.protocol]; tries++) {
      const slot = slotName(need.protocol, nextSlot[need.protocol] % counts[need.protocol])
      nextSlot[need.protocol] = (nextSlot[need.protocol] + 1) % counts[need.protocol]
      if (taken.has(slot)) continue
      taken.add(slot)
      return { ...need, slot }
    }
    throw new BasaltError('router.full', {
      message: `all ${counts[need.protocol]} ${need.protocol} slots of the router are in use`,
      remedy:
        'End environments that are no longer needed: `basalt down -e <environment>`. Generations that are kept warm give theirs back after the time `warm` in basalt.yaml.',
      details: { protocol: need.protocol, slots: counts[need.protocol] },
    })
  })
  return { slots, nextSlot }
}

/** The slot behind a group's service address. */
export const edgeSlot = (group: { readonly slots: readonly GroupSlot[] }, port: number, kind: Protocol) =>
  group.slots.find((slot) => slot.port === port && slot.protocol === kind)?.slot
