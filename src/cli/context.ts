import type { Home } from '../server/home.ts'
import type { Health } from '../server/protocol.ts'
import type { Connection } from './client/connection.ts'
import type { RemoteEngine } from './client/remote-engine.ts'
import type { RuntimeTrial } from './doctor/probe.ts'
import type { Output } from './output.ts'

/** What a command may use of the world. */
export interface Context {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Absolute. */
  readonly folder: string
  readonly home: Home
  readonly output: Output
  /** Aborted by Ctrl-C. What it means is the command's to say: cancelling, or detaching. */
  readonly interrupt: AbortSignal
  /** A person at a terminal can be asked. */
  readonly canAsk: boolean
  readonly userId: number
  /** Milliseconds since the epoch. */
  now(): number
  readonly connection: Connection
  /** What the local target's runtimes can do here; `environment` is that of the programs. */
  tryRuntimes(environment: Readonly<Record<string, string>>): Promise<readonly RuntimeTrial[]>
  /** The running server; null when none runs. Starts none. */
  server(): Promise<Health | null>
  /** The server's engine; starts a server when none runs and we may. */
  engine(): Promise<RemoteEngine>
}
