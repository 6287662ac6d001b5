import type { Port } from '../../core/system.ts'

/** A backend of HAProxy that is declared empty at its start and filled at run time: `h7` speaks http, `t7` tcp. */
export type SlotName = `h${number}` | `t${number}`
export type Protocol = Port['protocol']

/** How many slots there are of each kind. */
export type SlotCounts = Readonly<Record<Protocol, number>>

export const slotName = (protocol: Protocol, number: number): SlotName =>
  protocol === 'http' ? `h${number}` : `t${number}`

export const slotProtocol = (slot: SlotName): Protocol => (slot.startsWith('h') ? 'http' : 'tcp')

export const isSlotName = (text: string): text is SlotName => /^[ht]\d+$/.test(text)
