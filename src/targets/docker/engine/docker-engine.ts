import type { Readable } from 'node:stream'
import type { ContainerCreateOptions, NetworkCreateOptions } from 'dockerode'
import type { ContainerState, ContainerSummary, NetworkState } from './engine-schemas.ts'
import type { EngineLogLine } from './log-frames.ts'

/**
 * What Basalt asks of a Docker Engine. Every call rejects with `docker.unreachable` while none answers, with
 * `docker.forbidden` where it may not ask, and with `docker.failed` (details: {statusCode, said}) when it refuses.
 */
export interface DockerEngine {
  readonly socketPath: string

  /** Rejects with `docker.too-old` where it does not speak the API that Basalt needs. */
  check(): Promise<EngineFacts>

  /** All that carry the label, whatever their state. */
  containers(label: string): Promise<readonly ContainerSummary[]>
  /** Resolves with its id. */
  create(wish: ContainerCreateOptions & { readonly name: string }): Promise<string>
  start(container: string): Promise<void>
  /** Null where there is none. */
  inspect(container: string): Promise<ContainerState | null>
  /** Signalling what has ended or is gone is success. */
  kill(container: string, signal: string): Promise<void>
  /** Ends it, if need be, and removes it. Removing the absent is success. */
  remove(container: string): Promise<void>
  /** Runs a command inside; the exit code is null when the time was over, and what ran is killed then. */
  run(
    container: string,
    command: readonly string[],
    timeoutMs: number,
  ): Promise<{ readonly exitCode: number | null; readonly output: string }>
  logs(container: string, options: EngineLogOptions): AsyncIterable<EngineLogLine>
  /** Whether there is a file of this path in it, running or not. */
  hasFile(container: string, path: string): Promise<boolean>
  /** A tar with the file or folder at a path of a container, running or not; null where it has none. */
  archive(container: string, path: string): Promise<Readable | null>

  hasImage(id: string): Promise<boolean>
  /** @param tar in the form of `docker save` */
  loadImage(tar: Readable, signal: AbortSignal): Promise<void>
  /** One that a container still uses, or that is gone, is let be. */
  removeImage(id: string): Promise<void>

  network(name: string): Promise<NetworkState | null>
  createNetwork(wish: NetworkCreateOptions): Promise<void>
  removeNetwork(name: string): Promise<void>

  /**
   * Ends of containers that carry the label, from the moment in which `connected` is called. Ends, or rejects, when the
   * Engine goes away.
   */
  exits(label: string, connected: () => void, signal: AbortSignal): AsyncIterable<ContainerExit>
}

export interface EngineFacts {
  readonly version: string
  readonly apiVersion: string
  readonly liveRestore: boolean
  /** `cgroupfs` or `systemd`, and the version of cgroups. */
  readonly cgroups: string
}

export interface EngineLogOptions {
  readonly follow: boolean
  /** Lines from the end; null: all. */
  readonly tail: number | null
  readonly signal: AbortSignal
}

export interface ContainerExit {
  readonly container: string
  /** Null where the Engine does not say. */
  readonly exitCode: number | null
}
