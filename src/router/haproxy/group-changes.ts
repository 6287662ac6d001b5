import type { GroupId } from '../../core/ids.ts'
import { type GroupRecord, groupEntries, type RouterState, withGroup } from './router-state.ts'

/** From now on `to` answers for `from`. Both are known. */
export function handedOver(state: RouterState, from: GroupId, to: GroupId): RouterState {
  const [giver, taker] = [state.groups[from], state.groups[to]]
  if (giver === undefined || taker === undefined || from === to) return state
  // Who takes over answers itself, whomever it had handed over to before: so no row of successors is a circle.
  return withGroup(withGroup(state, to, { ...taker, handedTo: null }), from, { ...giver, handedTo: to })
}

/**
 * Without the group. If another answers for it, then its address stays taken for as long as that one is known. Groups
 * that it answered for are answered by its own successor; those of them that were forgotten are gone for good.
 */
export function forgotten(state: RouterState, id: GroupId): RouterState {
  const group: GroupRecord | undefined = state.groups[id]
  if (group === undefined) return state
  const successor = group.handedTo
  const others = groupEntries(state)
    .filter(([other, record]) => other !== id && !(record.forgotten && record.handedTo === id))
    .map(([other, record]) => [other, record.handedTo === id ? { ...record, handedTo: successor } : record])
  const groups = Object.fromEntries(others) as Record<GroupId, GroupRecord>
  if (successor !== null && groups[successor] !== undefined)
    groups[id] = { ...group, slots: [], members: {}, forgotten: true }
  return { ...state, groups }
}
