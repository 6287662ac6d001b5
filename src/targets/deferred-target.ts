import type { InstanceId } from '../core/ids.ts'
import type { Guarantees, Target } from './target.ts'

/** Has every method, so that none of a target's is lost on the way. */
export interface DeferredTarget extends Required<Target> {
  /** Opens it now. Rejects with the reason where it cannot be. */
  readonly openNow: () => Promise<Target>
  /** What was opened so far; null while nothing was, or when opening failed. */
  readonly opened: () => Promise<Target | null>
}

/**
 * A target that is opened by its first call: a server can answer, build and explain on a machine where
 * instances cannot run. A failed opening fails that call with its reason; the next call tries again.
 *
 * @param router see `Target`; its own unless told
 */
export function deferTarget(
  name: string,
  guarantees: Guarantees,
  open: () => Promise<Target>,
  router: string = name,
): DeferredTarget {
  const listeners = new Set<(instance: InstanceId) => void>()
  let opening: Promise<Target> | undefined
  const target = (): Promise<Target> => {
    opening ??= open().then(
      (opened) => {
        opened.onExit?.((instance) => {
          for (const listener of listeners) listener(instance)
        })
        return opened
      },
      (error: unknown) => {
        opening = undefined
        throw error
      },
    )
    return opening
  }
  return {
    name,
    guarantees,
    router,
    openNow: target,
    opened: async () => (await opening?.catch(() => null)) ?? null,
    prepare: async (groups, op) => (await target()).prepare(groups, op),
    observe: async (environment, op) => (await target()).observe(environment, op),
    open: async (table, op) => (await target()).open?.(table, op),
    start: async (group, op) => (await target()).start(group, op),
    route: async (table, op) => (await target()).route(table, op),
    stop: async (group, op, keep) => (await target()).stop(group, op, keep),
    async *logs(instance, options, op) {
      yield* (await target()).logs?.(instance, options, op) ?? []
    },
    logged: async (group, op) => (await (await target()).logged?.(group, op)) ?? [],
    traffic: async (environment, op) =>
      (await (await target()).traffic?.(environment, op)) ?? { entry: noRequests, groups: {} },
    handOver: async (from, to, op) => (await target()).handOver?.(from, to, op),
    onExit(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

const noRequests = { requests: 0, failed: 0, p50Ms: null, p99Ms: null }
