import { spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import type { Socket } from 'node:net'
import { BasaltError } from '../../../errors.ts'

/** A shell that waits for the names of keepers' scripts and starts them. */
export interface LauncherShell {
  readonly ended: boolean
  /** Resolves when the keeper runs; rejects with `runtime.failed`. */
  launch(keeper: string): Promise<void>
  /** Whether it finds there what this process finds: it may have mounts of its own. */
  sees(path: string): boolean
  /** Starts what it was told to, then ends. */
  close(): void
}

/** Answers each path by a line when its keeper runs; ends when nobody is left to name one. */
const loop = 'while read -r keeper; do sh "$keeper" </dev/null >/dev/null 2>&1 & echo; done'
/** Without work for this long, the shell is let go. */
const idleMs = 10_000

/**
 * In a session of its own: what ends the server's must not end the instances.
 *
 * @param surroundings see OciRuntime: given once, to the shell, instead of to every runtime that it starts
 */
export function startLauncherShell(surroundings: readonly string[]): LauncherShell {
  const [program, ...args] = [...surroundings, '/bin/sh', '-c', loop]
  const child = spawn(program, args, {
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
    clearTimeout(idle)
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
    sees: (path) =>
      surroundings.length === 0 || identityOf(path) === identityOf(`/proc/${child.pid}/root${path}`),
    close,
  }
}

/** Of the mounted thing, not of the place where it is mounted. */
function identityOf(path: string): string | null {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats === undefined ? null : `${stats.dev}:${stats.ino}`
}

const launchFailed = (why: string): BasaltError =>
  new BasaltError('runtime.failed', { message: `the shell that starts instances failed: ${why}` })
