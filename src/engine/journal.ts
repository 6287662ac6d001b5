import type { EnvironmentState } from '../core/environment-state.ts'
import { newEnvironment } from '../core/environment-state.ts'
import type { EnvironmentEvent, SystemEvent } from '../core/events.ts'
import type { EnvironmentId } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { LedgerEvent, Store, StreamName } from '../store/store.ts'
import { createKeyedMutex } from '../util/mutex.ts'
import { createLedgerView, type LedgerView, newSystem, type SystemState } from './ledger-view.ts'

/**
 * The engine's way to the ledger: folds it at the start, then keeps the fold true with every append. Decisions
 * that depend on the state are taken inside `change…`, one at a time per stream.
 */
export interface Journal {
  readonly view: LedgerView
  environment(id: EnvironmentId): EnvironmentState
  system(name: string): SystemState
  /** Appends what `decide` returns for the state as it is then; nothing for no events. Rejects when it throws. */
  changeEnvironment(
    id: EnvironmentId,
    decide: (state: EnvironmentState) => readonly EnvironmentEvent[],
  ): Promise<EnvironmentState>
  changeSystem(name: string, decide: (state: SystemState) => readonly SystemEvent[]): Promise<SystemState>
  /** Calls back after each appended event. Returns the way to stop. */
  subscribe(listener: (event: LedgerEvent) => void): () => void
  /** Events of a stream from a position on, as stored. */
  story(stream: StreamName, from: number, op: Op): AsyncIterable<LedgerEvent>
}

export async function openJournal(store: Store, op: Op): Promise<Journal> {
  const view = createLedgerView()
  const listeners = new Set<(event: LedgerEvent) => void>()
  const streamMutex = createKeyedMutex<StreamName>()
  for await (const event of store.read(0, op)) view.apply(event)

  async function append(
    stream: StreamName,
    version: number,
    events: readonly (EnvironmentEvent | SystemEvent)[],
  ) {
    if (events.length === 0) return
    const appended = await store.append(stream, version, events)
    for (const event of appended.events) {
      view.apply(event)
      for (const listener of listeners) listener(event)
    }
  }

  const environment = (id: EnvironmentId): EnvironmentState => view.environments.get(id) ?? newEnvironment
  const system = (name: string): SystemState => view.systems.get(name) ?? newSystem

  return {
    view,
    environment,
    system,
    changeEnvironment: (id, decide) =>
      streamMutex(`environment/${id}`).run(async () => {
        const state = environment(id)
        await append(`environment/${id}`, state.version, decide(state))
        return environment(id)
      }),
    changeSystem: (name, decide) =>
      streamMutex(`system/${name}`).run(async () => {
        const state = system(name)
        await append(`system/${name}`, state.version, decide(state))
        return system(name)
      }),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async *story(stream, from, op) {
      for await (const event of store.read(from - 1, op)) if (event.stream === stream) yield event
    },
  }
}
