import { open, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogLine, LogOptions } from '../../target.ts'
import { linesOf } from './log-tail.ts'
import { rotatedLog } from './rotate-log.ts'

const pollMs = 100
const chunkBytes = 256 * 1024

export interface LogSource {
  readonly path: string
  /** False once the instance writes no more: following then ends. */
  readonly isOpen: () => boolean
}

/** What an instance wrote, oldest first, then live. Lines cut off by a rotation are gone. */
export async function* readLog(
  source: LogSource,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const old = await readFile(rotatedLog(source.path)).catch(() => Buffer.alloc(0))
  const current = await readFile(source.path).catch(() => Buffer.alloc(0))
  // A line that is being written is left to the live part.
  const complete = options.follow ? current.subarray(0, current.lastIndexOf(10) + 1) : current
  const kept = [...linesOf(old.toString()), ...linesOf(complete.toString())]
  const tail = options.tail === null ? kept : options.tail === 0 ? [] : kept.slice(-options.tail)
  for (const text of tail) yield { at: null, text }
  if (options.follow) yield* followLog(source, complete.length, signal)
}

async function* followLog(source: LogSource, from: number, signal: AbortSignal): AsyncGenerator<LogLine> {
  let position = from
  let rest = Buffer.alloc(0)
  while (!signal.aborted) {
    const open = source.isOpen()
    const { bytes, size } = await readFrom(source.path, position)
    // Cut short: what comes now starts at the beginning.
    position = size < position ? 0 : position + bytes.length
    rest = Buffer.concat([rest, bytes])
    const end = rest.lastIndexOf(10) + 1
    for (const text of linesOf(rest.subarray(0, end).toString())) yield { at: Date.now(), text }
    rest = rest.subarray(end)
    if (bytes.length > 0) continue
    if (!open) break
    await sleep(pollMs, undefined, { signal }).catch(() => {})
  }
  if (rest.length > 0 && !signal.aborted) yield { at: Date.now(), text: rest.toString() }
}

async function readFrom(path: string, position: number) {
  const file = await open(path, 'r').catch(() => null)
  if (file === null) return { bytes: Buffer.alloc(0), size: position }
  try {
    const { size } = await file.stat()
    const bytes = Buffer.alloc(Math.max(0, Math.min(size - position, chunkBytes)))
    const { bytesRead } = await file.read(bytes, 0, bytes.length, position)
    return { bytes: bytes.subarray(0, bytesRead), size }
  } finally {
    await file.close()
  }
}
