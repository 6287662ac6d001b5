import { spawn } from 'node:child_process'
import type { Op } from '../core/op.ts'
import { BasaltError, type ErrorCode } from '../errors.ts'

export interface ExecOptions {
  /** Its signal ends the program. */
  readonly op?: Pick<Op, 'signal'>
  readonly input?: string | Uint8Array
  /** Replaces the environment; absent: the caller's. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** The program and everything that it started is killed after this time; the exit code is then 137. */
  readonly timeoutMs?: number
}

export interface ExecResult {
  readonly stdout: string
  readonly stderr: string
  /** 0-255; 128 + signal number when a signal ended it. */
  readonly exitCode: number
}

/** The Debian package of a program where it is not called like the program. */
const packageOf: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nft: 'nftables',
  flock: 'util-linux',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  'mkfs.erofs': 'erofs-utils',
}
const signalNumbers: Readonly<Record<string, number>> = { SIGKILL: 9, SIGTERM: 15, SIGINT: 2, SIGHUP: 1 }

/**
 * Runs a program to its end, in a process group of its own. A non-zero exit is a result, not an error.
 * Rejects with `host.tool-missing` where there is no such program, `request.interrupted` on abort.
 */
export function exec(file: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    const signal = options.op?.signal
    if (signal?.aborted) return reject(interrupted(file, signal))
    const child = spawn(file, args, {
      detached: true,
      cwd: options.cwd,
      env: options.env === undefined ? process.env : { ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const output: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] }
    child.stdout.on('data', (chunk: Buffer) => output.stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => output.stderr.push(chunk))
    // A program that does not read its input to the end is not an error of ours.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input)

    const kill = () => {
      killGroup(child.pid)
      // Whoever left the group may hold the output open for ever.
      child.stdout.destroy()
      child.stderr.destroy()
    }
    signal?.addEventListener('abort', kill, { once: true })
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(kill, options.timeoutMs)
    const finish = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', kill)
    }
    child.on('error', (cause: NodeJS.ErrnoException) => {
      finish()
      reject(cause.code === 'ENOENT' ? toolMissing(file, cause) : spawnFailed(file, cause))
    })
    child.on('close', (code, killedBy) => {
      finish()
      if (signal?.aborted) return reject(interrupted(file, signal))
      resolve({
        stdout: Buffer.concat(output.stdout).toString(),
        stderr: Buffer.concat(output.stderr).toString(),
        exitCode: code ?? 128 + (signalNumbers[killedBy ?? ''] ?? 0),
      })
    })
  })
}

/** Like `exec`, but a non-zero exit rejects with `code`, saying what `purpose` could not be done and why. */
export async function execOrThrow(
  code: ErrorCode,
  purpose: string,
  file: string,
  args: readonly string[],
  options: ExecOptions = {},
): Promise<ExecResult> {
  const result = await exec(file, args, options)
  if (result.exitCode === 0) return result
  const reason = result.stderr.trim() || result.stdout.trim() || `exit code ${result.exitCode}`
  throw new BasaltError(code, {
    message: `${purpose}: ${file}: ${reason}`,
    details: { command: [file, ...args], exitCode: result.exitCode, stderr: result.stderr.slice(-2000) },
  })
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Ended in the meantime.
  }
}

function toolMissing(file: string, cause: unknown): BasaltError {
  const name = file.slice(file.lastIndexOf('/') + 1)
  return new BasaltError('host.tool-missing', {
    message: `the program ${name} is not installed`,
    remedy: `Install it: apt-get install ${packageOf[name] ?? name}`,
    details: { tool: name },
    cause,
  })
}

const spawnFailed = (file: string, cause: NodeJS.ErrnoException): BasaltError =>
  new BasaltError('runtime.failed', { message: `${file} could not be run: ${cause.message}`, cause })

const interrupted = (file: string, signal: AbortSignal): BasaltError =>
  new BasaltError('request.interrupted', {
    message: `${file} was interrupted`,
    cause: signal.reason,
  })
