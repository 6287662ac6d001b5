import type { GroupId } from '../../core/ids.ts'
import { edgeKind, edgeSlot } from './choose-slots.ts'
import type { MapLine } from './route-map.ts'
import { type GroupRecord, groupEntries, type RouterState } from './router-state.ts'

/**
 * The map of all edges: `<service address>:<port>` to the slot that answers there. A group that was handed over is
 * answered by its successor, where that has the port in the same protocol.
 */
export function edgeMap(state: RouterState): readonly MapLine[] {
  return groupEntries(state).flatMap(([id, group]) => {
    const kind = edgeKind(group.ports)
    const answering: GroupRecord = state.groups[answeringFor(state, id)] ?? group
    return group.ports.flatMap(({ port }) => {
      const slot = edgeSlot(answering, port, kind) ?? edgeSlot(group, port, kind)
      return slot === undefined ? [] : [[`${group.address}:${port}`, slot] as const]
    })
  })
}

/** Follows hand-overs to their end; they never form a circle. */
function answeringFor(state: RouterState, group: GroupId): GroupId {
  const next = state.groups[group]?.handedTo ?? null
  return next === null || state.groups[next] === undefined ? group : answeringFor(state, next)
}
