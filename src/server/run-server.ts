import { rmSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import type { Engine } from '../engine/engine.ts'
import { BasaltError, exitCodes } from '../errors.ts'
import type { Registry } from '../images/registry/server/open-registry.ts'
import { version } from '../util/version.ts'
import { createServer } from './create-server.ts'
import { ensureHomeFolder, type Home, resolveHome } from './home.ts'
import { peerActor } from './peer.ts'
import { takeServerLock } from './server-lock.ts'
import { listenAt, removeStaleSocket, socketGroupId } from './socket.ts'
import { toWireError } from './wire-error.ts'

export interface OpenedEngine {
  readonly engine: Engine
  readonly registry: Registry
  /** Lets go of everything; instances and the router go on. */
  close(): Promise<void>
  /** Takes every environment down and undoes what was made on this machine outside of the state folder. */
  remove(): Promise<void>
}

/** A line of the server's log. */
export type Log = (message: string, details?: Readonly<Record<string, unknown>>) => void

export interface ServerParts {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Wires the engine. Called with the home's lock held, before the socket appears. */
  open(home: Home): Promise<OpenedEngine>
}

/** When the server is busy no more with coming up: what it was compiled to is kept for the next one. */
const compiledAfterMs = 5_000
/** How long calls in flight may take to end once the server was asked to stop. */
const stopPatienceMs = 5_000

/**
 * The server's whole life: lock, engine, socket, signals. Resolves when it has stopped in good order. What
 * happens before it answers is thrown to the caller; see `reportStartFailure`.
 */
export async function runServer(parts: ServerParts): Promise<void> {
  const home = resolveHome(parts.environment)
  const groupId = socketGroupId(parts.environment['BASALT_GROUP'])
  process.once('uncaughtException', endUncaught)
  ensureHomeFolder(home)
  const lock = await takeServerLock(home)
  try {
    await removeStaleSocket(home)
    const opened = await parts.open(home)
    try {
      await serve(opened, home, groupId)
    } finally {
      await opened.close()
    }
  } finally {
    lock.release()
  }
}

async function serve(opened: OpenedEngine, home: Home, groupId: number | null): Promise<void> {
  const stopping = new AbortController()
  const requestStop = (): void => stopping.abort()
  process.once('SIGTERM', requestStop)
  process.once('SIGINT', requestStop)
  process.once('SIGHUP', requestStop)
  const app = createServer(opened.engine, {
    registry: opened.registry,
    version,
    home: home.folder,
    startedAt: Date.now(),
    identify: (socket) => peerActor(socket),
    requestStop,
    remove: () => opened.remove(),
    stopping: stopping.signal,
    log: true,
  })
  await listenAt(home, groupId, (path) => app.listen({ path, listenTextResolver: () => 'socket bound' }))
  app.log.info({ version, home: home.folder, pid: process.pid }, 'server answers')
  setTimeout(flushCompileCache, compiledAfterMs).unref()
  await new Promise<void>((resolve) => {
    stopping.signal.addEventListener('abort', () => resolve(), { once: true })
    if (stopping.signal.aborted) resolve()
  })
  app.log.info('server stops; instances go on')
  const patience = setTimeout(() => app.server.closeAllConnections(), stopPatienceMs)
  await app.close()
  clearTimeout(patience)
  // Nobody else can listen there while the lock is ours.
  rmSync(home.socketPath, { force: true })
}

/**
 * Tells why the server did not start, as the last line of its output: one JSON document that the CLI which
 * started it reads back, and that a person can read in server.log. Returns the exit code.
 */
export function reportStartFailure(error: unknown): number {
  writeFatal(error, error instanceof BasaltError ? null : stackOf(error))
  return error instanceof BasaltError ? exitCodes[error.kind] : exitCodes.bug
}

/**
 * After an error that nobody caught, or a rejection that nobody handled, nothing in this process can be relied on.
 * Instances and the router go on, and the next server adopts them.
 */
function endUncaught(error: unknown): never {
  writeFatal(error, stackOf(error))
  process.exit(exitCodes.bug)
}

function writeFatal(error: unknown, stack: string | null): void {
  const line = {
    level: 60,
    time: new Date().toISOString(),
    schema: 'basalt.error/v1',
    ...toWireError(error),
    ...(stack === null ? {} : { stack }),
  }
  process.stderr.write(`${JSON.stringify(line)}\n`)
}

const stackOf = (error: unknown): string | null => (error instanceof Error ? (error.stack ?? null) : null)
