import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { mkdir, open, writeFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { dirname } from 'node:path'
import { BasaltError } from '../../../errors.ts'
import type { InstancePaths } from '../local-paths.ts'
import type { OciRuntime } from '../runtime/oci-runtime.ts'

export interface KeeperRequest {
  readonly runtime: OciRuntime
  readonly paths: InstancePaths
  readonly runtimeState: string
  readonly instance: string
}

/**
 * Starts keepers: for each instance a shell that runs the OCI runtime in the foreground. It holds nothing but the log
 * file and survives the server; when the instance ends it leaves the exit code in a file.
 */
export interface KeeperLauncher {
  /** Resolves when the keeper runs; `paths.pidFile` and `paths.exitFile` tell the rest. */
  start(request: KeeperRequest): Promise<void>
  close(): void
}

/** Answers each path by a line when its keeper runs; ends when nobody is left to name one. */
const launch = 'while read -r keeper; do sh "$keeper" </dev/null >/dev/null 2>&1 & echo; done'
/** Without work for this long, the shell is let go. */
const idleMs = 10_000

/**
 * Keepers are started by a shell that waits for their names: to start a process from a server costs ten milliseconds
 * and more, in which it does nothing else, because all that it has in memory is looked through.
 */
export function createKeeperLauncher(): KeeperLauncher {
  let shell: LauncherShell | null = null
  return {
    async start(request) {
      const { log, keeper } = request.paths
      await mkdir(dirname(log), { recursive: true, mode: 0o700 })
      // Here, where a failure can be told: the keeper has nobody to tell.
      await (await open(log, constants.O_WRONLY | constants.O_CREAT, 0o600)).close()
      await writeFile(keeper, keeperScript(request), { mode: 0o600 })
      if (shell === null || shell.ended) shell = startShell()
      await shell.launch(keeper)
    },
    close() {
      shell?.close()
    },
  }
}

interface LauncherShell {
  readonly ended: boolean
  launch(keeper: string): Promise<void>
  close(): void
}

/** In a session of its own: what ends the server's must not end the instances. */
function startShell(): LauncherShell {
  const child = spawn('/bin/sh', ['-c', launch], {
    detached: true,
    cwd: '/',
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const waiting: { readonly resolve: () => void; readonly reject: (error: BasaltError) => void }[] = []
  let ended = false
  const end = (why: string) => {
    ended = true
    clearTimeout(idle)
    for (const { reject } of waiting.splice(0)) reject(launchFailed(why))
  }
  const close = () => {
    ended = true
    child.stdin.end()
  }
  const idle = setTimeout(close, idleMs)
  idle.unref()
  child.on('error', ({ message }) => end(message))
  child.on('exit', () => end('it ended'))
  child.stdin.on('error', ({ message }) => end(message))
  child.stdout.on('data', (answers: Buffer) => {
    for (const { resolve } of waiting.splice(0, answers.length)) resolve()
  })
  // It holds nothing that the server would have to wait for.
  child.unref()
  for (const pipe of [child.stdin, child.stdout]) (pipe as unknown as Socket).unref()
  return {
    get ended() {
      return ended
    },
    launch: (keeper) =>
      new Promise((resolve, reject) => {
        idle.refresh()
        waiting.push({ resolve, reject })
        child.stdin.write(`${keeper}\n`)
      }),
    close,
  }
}

/** Appends to the log, so that it can be cut while the instance writes on. */
function keeperScript({ runtime, paths, runtimeState, instance }: KeeperRequest): string {
  const global = ['--root', runtimeState, '--log', paths.runtimeLog]
  const run = ['run', '--bundle', paths.folder, '--pid-file', paths.pidFile, instance]
  const exitFile = quoted(paths.exitFile)
  return [
    `exec >>${quoted(paths.log)} 2>&1`,
    runtime
      .command([...global, ...run])
      .map(quoted)
      .join(' '),
    'code=$?',
    `echo $code >${exitFile}.new && mv ${exitFile}.new ${exitFile}`,
    '',
  ].join('\n')
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

const launchFailed = (why: string): BasaltError =>
  new BasaltError('runtime.failed', { message: `the shell that starts instances failed: ${why}` })
