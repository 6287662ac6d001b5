import { invariant } from '../errors.ts'
import { appendLeaf, type Frontier, type Hash, leafHash, type NodeReader, rootOf } from './merkle.ts'

/** What the leaf hash covers, except the data. */
export interface EventFields {
  /** 1 for the first event of the ledger. */
  readonly position: number
  readonly stream: string
  /** 1 for the first event of its stream. */
  readonly version: number
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly type: string
}

/** An event with its place in the tree: all that a store has to keep of it. */
export interface SealedEvent extends EventFields {
  /** Canonical JSON (RFC 8785). */
  readonly data: string
  readonly leafHash: Hash
  /** The inner nodes that this leaf completed, level 1 first, 32 bytes each. */
  readonly nodeHashes: Buffer
  /** Of the tree up to this event. */
  readonly rootHash: Hash
}

/** A sealed event as it was read back: the bytes of its data, not what a decoder makes of them. */
export interface StoredEvent extends EventFields {
  readonly data: Uint8Array
  readonly leafHash: Uint8Array
  readonly nodeHashes: Uint8Array
  readonly rootHash: Uint8Array
}

/**
 * The leaf of an event: the canonical JSON (RFC 8785) of {at, data, position, stream, type, version}. Made from
 * the data's own bytes, so that any change to them shows, also one that leaves the parsed value as it is.
 */
export function eventLeaf(event: EventFields & { readonly data: string | Uint8Array }): Buffer {
  const { position, stream, version, at, type, data } = event
  const head = `{"at":${at},"data":`
  const tail = `,"position":${position},"stream":${JSON.stringify(stream)},"type":${JSON.stringify(type)},"version":${version}}`
  return typeof data === 'string'
    ? Buffer.from(head + data + tail)
    : Buffer.concat([Buffer.from(head), data, Buffer.from(tail)])
}

export interface UnsealedEvent {
  readonly type: string
  /** Canonical JSON (RFC 8785). */
  readonly data: string
}

export interface SealedEvents {
  readonly frontier: Frontier
  readonly events: readonly SealedEvent[]
}

/** Gives events their places after the end of the ledger and of their stream, and their hashes. Pure. */
export function sealEvents(
  frontier: Frontier,
  place: { readonly stream: string; readonly version: number; readonly at: number },
  unsealed: readonly UnsealedEvent[],
): SealedEvents {
  invariant(Number.isSafeInteger(place.at) && place.at >= 0, `the clock said ${place.at}`)
  let end = frontier
  const events = unsealed.map(({ type, data }, index): SealedEvent => {
    const fields = {
      position: end.size + 1,
      stream: place.stream,
      version: place.version + index + 1,
      at: place.at,
      type,
    }
    const leaf = leafHash(eventLeaf({ ...fields, data }))
    const appended = appendLeaf(end, leaf)
    end = appended.frontier
    const nodeHashes = Buffer.concat(appended.completed)
    return { ...fields, data, leafHash: leaf, nodeHashes, rootHash: rootOf(end) }
  })
  return { frontier: end, events }
}

/**
 * Reads any node of the tree from the events: node (level, index) was completed by the leaf that ends its
 * subtree. `hashesAt` gives the hashes of the event at a position.
 */
export const nodeReader =
  (
    hashesAt: (position: number) => { readonly leafHash: Uint8Array; readonly nodeHashes: Uint8Array },
  ): NodeReader =>
  (level, index) => {
    const { leafHash: leaf, nodeHashes } = hashesAt((index + 1) * 2 ** level)
    return Buffer.from(level === 0 ? leaf : nodeHashes.subarray((level - 1) * 32, level * 32))
  }
