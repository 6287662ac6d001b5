import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { GroupId } from '../../core/ids.ts'
import { edgeMap } from './edge-map.ts'
import { forgotten, handedOver } from './group-changes.ts'
import { emptyState, type GroupRecord, type RouterState } from './router-state.ts'

const ids = ['a', 'b', 'c', 'd'] as GroupId[]
const all: RouterState = {
  ...emptyState,
  groups: Object.fromEntries(
    ids.map((id, number) => [
      id,
      {
        environment: 'shop/live',
        ports: [{ port: 6379, protocol: 'tcp' }],
        address: `10.0.192.${number + 1}`,
        slots: [{ slot: `t${number}`, port: 6379, protocol: 'tcp' }],
        members: {},
        handedTo: null,
        forgotten: false,
        leaving: false,
        baseline: { process: '', counters: {} },
      } as unknown as GroupRecord,
    ]),
  ) as Record<GroupId, GroupRecord>,
}
const [a, b, c] = ids as [GroupId, GroupId, GroupId]
const answering = (state: RouterState, id: GroupId) =>
  new Map(edgeMap(state)).get(`${all.groups[id]?.address}:6379`)

describe('handing over and forgetting', () => {
  it('leads an address to the last of a row of successors', () => {
    const state = handedOver(handedOver(all, a, b), b, c)
    expect(answering(state, a)).toBe('t2')
    expect(answering(state, b)).toBe('t2')
    expect(answering(forgotten(state, b), a)).toBe('t2')
  })

  it('keeps the address of a forgotten group for as long as its successor is known', () => {
    const state = forgotten(handedOver(all, a, b), a)
    expect(answering(state, a)).toBe('t1')
    expect(forgotten(state, b).groups[a]).toBeUndefined()
  })

  it('frees the address of a group that nobody took over from', () => {
    expect(forgotten(all, a).groups[a]).toBeUndefined()
  })

  it('goes back when it is handed back', () => {
    const state = handedOver(handedOver(all, a, b), b, a)
    expect(answering(state, a)).toBe('t0')
    expect(answering(state, b)).toBe('t0')
  })

  it('never leads to a group that is gone, whatever was done', () => {
    const id = fc.constantFrom(...ids)
    const step = fc.oneof(
      fc.record({ kind: fc.constant('hand' as const), from: id, to: id }),
      fc.record({ kind: fc.constant('forget' as const), from: id }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        let state = all
        for (const done of steps) {
          if (done.kind === 'forget') state = forgotten(state, done.from)
          else if (state.groups[done.from] !== undefined && state.groups[done.to]?.forgotten === false)
            state = handedOver(state, done.from, done.to)
          const slots = new Set(
            Object.values(state.groups).flatMap((group) => group.slots.map((s) => s.slot)),
          )
          const lines = edgeMap(state)
          for (const [, slot] of lines) expect(slots).toContain(slot)
          // An address that is kept is answered.
          expect(lines.length).toBe(Object.keys(state.groups).length)
        }
      }),
    )
  })
})
