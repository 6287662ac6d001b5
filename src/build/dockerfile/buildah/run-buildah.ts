import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'

export interface BuildahRun {
  readonly exitCode: number
  /** The end of what it said on stderr. */
  readonly stderr: string
  readonly stdout: string
}

export interface BuildahOptions {
  readonly op: Pick<Op, 'signal'>
  /** Everything that it prints, as it comes. */
  readonly tell?: (text: string, stream: 'stdout' | 'stderr') => void
  readonly input?: Readable
}

const keptCharacters = 64_000

/**
 * Runs buildah in a process group of its own, which is killed as a whole, and in a mount namespace of its own, so that
 * nothing stays mounted. A failure is a result.
 */
export async function runBuildah(args: readonly string[], options: BuildahOptions): Promise<BuildahRun> {
  const { op, tell, input } = options
  op.signal.throwIfAborted()
  const words = ['--mount', '--propagation', 'private', 'buildah', ...args]
  const child = spawn('unshare', words, { detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
  const kill = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // Ended in the meantime.
    }
  }
  op.signal.addEventListener('abort', kill, { once: true })
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      said[stream] = (said[stream] + text).slice(-keptCharacters)
      tell?.(text, stream)
    })
  const ended = once(child, 'close') as Promise<[number | null]>
  ended.catch(() => {})
  let inputFailure: BasaltError | undefined
  if (input === undefined) child.stdin.end()
  else
    pipeline(input, child.stdin).catch((cause: unknown) => {
      // Whoever ends before it has read everything says why itself; what we could not read is our failure.
      if (cause instanceof BasaltError) {
        inputFailure = cause
        kill()
      }
    })
  try {
    const [code] = await ended
    if (inputFailure !== undefined) throw inputFailure
    op.signal.throwIfAborted()
    return { exitCode: code ?? 137, ...said }
  } catch (cause) {
    throw op.signal.aborted
      ? new BasaltError('request.interrupted', { message: 'the build was interrupted', cause })
      : cause
  } finally {
    op.signal.removeEventListener('abort', kill)
  }
}
