import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { System } from '../core/system.ts'
import { BasaltError } from '../errors.ts'
import { parseLocatedManifest } from './parse-manifest.ts'
import { type ManifestPath, type Place, ProblemList } from './problem-list.ts'
import { mostBytes } from './yaml/syntax-problems.ts'

export const manifestFileName = 'basalt.yaml'

export interface LoadedManifest {
  readonly system: System
  /** The path that was read. */
  readonly file: string
  /** See ParsedManifest. Null is left to sources without places. */
  readonly locate: (path: ManifestPath) => Place | null
}

/**
 * Reads and checks a manifest; for a folder, the basalt.yaml in it.
 *
 * @throws BasaltError `manifest.missing` or `manifest.invalid`
 */
export async function loadManifest(path: string): Promise<LoadedManifest> {
  const { file, bytes } = await readManifest(path)
  const { system, locate } = parseLocatedManifest(decode(bytes, file), file)
  return { system, file, locate }
}

async function readManifest(path: string): Promise<{ file: string; bytes: Uint8Array }> {
  try {
    // Opening a pipe that nobody writes to must not wait for ever.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const stat = await handle.stat()
      if (stat.isDirectory()) return await readManifest(join(path, manifestFileName))
      // One byte more than allowed, so that the parser sees and reports the size.
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(mostBytes + 1), 0, mostBytes + 1)
      return { file: path, bytes: buffer.subarray(0, bytesRead) }
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function unreadable(path: string, cause: unknown): BasaltError {
  if (cause instanceof BasaltError) return cause
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  const absent = code === 'ENOENT' || code === 'ENOTDIR'
  return new BasaltError('manifest.missing', {
    message: absent ? `there is no ${path}` : `${path} cannot be read (${code})`,
    remedy: absent
      ? `Write a first one with \`basalt init\` in ${dirname(path)}, or name another with \`--file\`.`
      : `Make ${basename(path)} a file that you may read.`,
    details: { file: path },
    cause,
  })
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    const problems = new ProblemList(file, () => ({ line: 1, column: 1 }))
    problems.reportAt({ line: 1, column: 1 }, 'the file is not UTF-8 text', 'Save it as UTF-8.')
    throw problems.toError()
  }
}
