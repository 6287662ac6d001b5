/** Runs HAProxy on this machine, in the host's network, so that it outlives the server. */
export interface RouterLauncher {
  /**
   * Whom HAProxy is to become once it has bound its ports: the name of a user that it finds where it runs, or a number for
   * user and group; null: it stays what it is.
   */
  user(): Promise<string | number | null>
  /**
   * Starts it; resolves with its process number on this host once it has bound its ports. Must not be called while one
   * runs in the same folder. Rejects with `router.failed`, with HAProxy's own words.
   */
  start(place: RouterPlace): Promise<number>
  /** Removes what an ended one may have left beside the folder. */
  clear(): Promise<void>
}

/** Where HAProxy runs, and the names of its files there. */
export interface RouterPlace {
  readonly folder: string
  readonly config: string
  /** Its runtime socket: whoever can connect to it finds all ports bound. */
  readonly socket: string
  readonly pidFile: string
}
