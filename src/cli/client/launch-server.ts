import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { WireError } from '../../engine/engine.ts'
import { BasaltError } from '../../errors.ts'
import { ensureHomeFolder, type Home } from '../../server/home.ts'
import { answers } from '../../server/socket.ts'
import { withSystemPaths } from '../../util/system-paths.ts'

/** A log larger than this is put aside when a server starts. */
const largestLogBytes = 16 * 1024 * 1024
const startPatienceMs = 60_000
const pollMs = 5
const shownLines = 20

/**
 * The server is idle for most of its life. With V8's own choice for short-lived objects (16 MiB, three times over) a
 * deployment leaves some 20 MB more behind for good, and is no quicker.
 */
const memoryOptions = ['--min-semi-space-size=8', '--max-semi-space-size=8']

/**
 * Without these, glibc keeps what large buffers of a build needed (malloc(3), mallopt(3)): some 30 MB for good.
 */
const memoryEnvironment = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
}

/** The server's program: beside the bundled CLI, or the source of it in a checkout. */
export function serverProgram(): string {
  const bundled = fileURLToPath(new URL('./server.js', import.meta.url))
  return existsSync(bundled) ? bundled : fileURLToPath(new URL('../../server/main.ts', import.meta.url))
}

/**
 * Starts the server in the background, in a session of its own, and waits until it answers. Two at the same
 * time are no matter: one of the servers wins, and both callers find it. Rejects with `server.start-failed`,
 * which carries the end of its log.
 */
export async function launchServer(home: Home, program: string = serverProgram()): Promise<void> {
  ensureHomeFolder(home)
  putAsideLargeLog(home)
  const log = openSync(home.logPath, 'a', 0o640)
  const begin = statSync(home.logPath).size
  const child = spawn(process.execPath, [...memoryOptions, ...process.execArgv, program], {
    detached: true,
    stdio: ['ignore', log, log],
    // The folder that a command happened to run in must not stay busy for as long as the server runs.
    cwd: '/',
    env: {
      ...memoryEnvironment,
      NODE_COMPILE_CACHE: join(home.folder, 'compiled'),
      ...withSystemPaths(process.env),
      BASALT_HOME: home.folder,
    },
  })
  closeSync(log)
  child.unref()
  // Set by listeners, which the compiler does not see.
  const fate: { ended: string | null } = { ended: null }
  child.on('error', (error) => {
    fate.ended = error.message
  })
  child.on('exit', (exitCode, signal) => {
    fate.ended = signal === null ? `exit code ${exitCode}` : `signal ${signal}`
  })
  const deadline = Date.now() + startPatienceMs
  while (!(await answers(home.socketPath))) {
    if (fate.ended !== null && !(await answersSoon(home)))
      throw startFailed(home, begin, `it ended with ${fate.ended}`)
    if (Date.now() > deadline)
      throw startFailed(home, begin, `it does not answer after ${startPatienceMs / 1000} s`)
    await sleep(pollMs)
  }
}

/** Ours may have ended because another one, which is about to answer, was first. */
async function answersSoon(home: Home): Promise<boolean> {
  for (let attempt = 0; attempt < 10; attempt++) {
    if (await answers(home.socketPath)) return true
    await sleep(pollMs)
  }
  return false
}

function startFailed(home: Home, begin: number, what: string): BasaltError {
  const lines = readFileSync(home.logPath).subarray(begin).toString().trimEnd().split('\n')
  const reported = reportedError(lines.at(-1) ?? '')
  if (reported !== null)
    return new BasaltError('server.start-failed', {
      message: `the server did not start: ${reported.message}`,
      ...(reported.remedy === null ? {} : { remedy: reported.remedy }),
      details: { reason: reported.code, log: home.logPath, ...reported.details },
    })
  return new BasaltError('server.start-failed', {
    message: `the server did not start: ${what}`,
    remedy: `See ${home.logPath}, or run it in the foreground: basalt server run`,
    details: { log: home.logPath, lastLogLines: lines.slice(-shownLines) },
  })
}

/** What `reportStartFailure` of the server left as its last line. */
function reportedError(line: string): WireError | null {
  if (!line.startsWith('{')) return null
  try {
    const parsed = JSON.parse(line) as Partial<WireError & { schema: string }>
    return parsed.schema === 'basalt.error/v1' ? (parsed as WireError) : null
  } catch {
    return null
  }
}

function putAsideLargeLog(home: Home): void {
  const stats = statSync(home.logPath, { throwIfNoEntry: false })
  if (stats !== undefined && stats.size > largestLogBytes) renameSync(home.logPath, `${home.logPath}.1`)
}
