import type { EventFields } from '../ledger/sealed-event.ts'
import type { LedgerEvent, StreamName } from './store.ts'

/** An event as a store gives it out, from the text and the hash that it keeps. */
export const ledgerEvent = (
  event: EventFields & { readonly data: string; readonly leafHash: Uint8Array },
): LedgerEvent => ({
  position: event.position,
  stream: event.stream as StreamName,
  version: event.version,
  at: event.at,
  type: event.type,
  data: JSON.parse(event.data) as unknown,
  leafHash: Buffer.from(event.leafHash).toString('hex'),
})
