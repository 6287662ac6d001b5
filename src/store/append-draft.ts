import { canonicalJson } from '../core/digest.ts'
import { namePattern } from '../core/ids.ts'
import { invariant } from '../errors.ts'
import type { UnsealedEvent } from '../ledger/sealed-event.ts'
import type { NewEvent, StreamName } from './store.ts'

/** A checked append. Holds its data as text, so that what the writer does to its objects later changes nothing. */
export interface AppendDraft {
  readonly stream: StreamName
  readonly expectedVersion: number
  readonly events: readonly UnsealedEvent[]
}

const name = namePattern.source.slice(1, -1)
/** `system/<name>` or `environment/<name>/<name>`. */
const streamPattern = new RegExp(`^(?:system/${name}|environment/${name}/${name})$`)
const typePattern = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/

/** Throws `internal.bug` for what no writer may hand over: a malformed stream or type, no events, data beyond JSON. */
export function draftAppend(
  stream: StreamName,
  expectedVersion: number,
  events: readonly NewEvent[],
): AppendDraft {
  invariant(streamPattern.test(stream), `"${stream}" is not the name of a stream`)
  invariant(
    Number.isSafeInteger(expectedVersion) && expectedVersion >= 0,
    `${expectedVersion} is not the version of a stream`,
  )
  invariant(events.length > 0, `an append to ${stream} has no events`)
  return {
    stream,
    expectedVersion,
    events: events.map(({ type, data }) => {
      invariant(typePattern.test(type) && type.length <= 64, `"${type}" is not the type of an event`)
      return { type, data: canonicalJson(data) }
    }),
  }
}
