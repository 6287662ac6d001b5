import type { RouterNetwork } from '../router-network.ts'
import type { HaproxySocket } from './haproxy-socket.ts'
import type { HaproxySupervisor, Running } from './haproxy-supervisor.ts'
import type { RouterState } from './router-state.ts'

/** What a verb of the router has at hand. */
export interface RouterContext {
  readonly network: RouterNetwork
  readonly now: () => number
  readonly supervisor: HaproxySupervisor
  state(): RouterState
  /** Records a state without telling HAProxy. Only inside `exclusively`. */
  record(state: RouterState): Promise<void>
  /**
   * Records a state, then makes HAProxy follow. `follow` may run twice, the second time on a HAProxy that was started
   * from the new state, so it must not mind what is there already. Refused, the old state is recorded again.
   */
  change(state: RouterState, follow: (socket: HaproxySocket) => Promise<void>): Promise<void>
  /** One change at a time. */
  exclusively<Result>(task: () => Promise<Result>): Promise<Result>
  /** Asks the running HAProxy; started first if need be. */
  ask<Result>(question: (running: Running) => Promise<Result>): Promise<Result>
}
