import { spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { BasaltError } from '../errors.ts'
import type { Home } from './home.ts'
import { answers } from './socket.ts'

export interface ServerLock {
  release(): void
}

/** How long a server that holds the lock without answering may take to go, or to come up. */
const patienceMs = 10_000
const retryMs = 50

/**
 * The promise of one server per home. Node has no flock(2), so flock(1) takes the lock on a descriptor that it
 * shares with us: the lock belongs to the open file, stays with us when flock ends, and the kernel drops it
 * when this process dies in whatever way. Nobody ever has to clean up. The file's text only names the holder.
 *
 * Rejects with `server.already-running` as soon as another server answers; one that is on its way out is
 * waited for.
 */
export async function takeServerLock(home: Home): Promise<ServerLock> {
  const descriptor = openSync(home.lockPath, 'a+', 0o600)
  try {
    const deadline = Date.now() + patienceMs
    while (!tryLock(descriptor)) {
      if (Date.now() > deadline || (await answers(home.socketPath))) throw alreadyRunning(home)
      await sleep(retryMs)
    }
    ftruncateSync(descriptor)
    writeSync(descriptor, `pid ${process.pid}\n`)
    return { release: () => closeSync(descriptor) }
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}

function tryLock(descriptor: number): boolean {
  const child = spawnSync('flock', ['--exclusive', '--nonblock', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', descriptor],
  })
  if (child.error === undefined) return child.status === 0
  throw new BasaltError('host.tool-missing', {
    message: `flock could not be run: ${child.error.message}`,
    remedy: 'Install it: apt-get install util-linux',
    details: { tool: 'flock' },
    cause: child.error,
  })
}

function alreadyRunning(home: Home): BasaltError {
  const holder = readFileSync(home.lockPath, 'utf8').trim() || 'unknown'
  return new BasaltError('server.already-running', {
    message: `another server (${holder}) holds ${home.lockPath}`,
    remedy: 'Use it (`basalt server status`), stop it (`basalt server stop`), or set another BASALT_HOME.',
    details: { lockPath: home.lockPath, holder },
  })
}
