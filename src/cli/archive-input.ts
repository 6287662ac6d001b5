import { statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { BasaltError } from '../errors.ts'

/** Opened before a server is asked for, so that a file that cannot be read starts none. `remedy` is for all errors. */
export async function openArchive(file: string, remedy: string): Promise<Readable> {
  const stats = statSync(file, { throwIfNoEntry: false })
  if (!stats?.isFile())
    throw new BasaltError('request.invalid', {
      message: stats === undefined ? `there is no file ${file}` : `${file} is not a file`,
      remedy,
      details: { file },
    })
  try {
    return (await open(file)).createReadStream()
  } catch (cause) {
    throw unreadable(file, remedy, cause)
  }
}

/**
 * With errors of reading told as such: to the connection they would look like its own. `file` null: the standard input.
 */
export async function* readableChunks(
  content: AsyncIterable<unknown>,
  file: string | null,
  remedy: string,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of content) yield chunk as Uint8Array
  } catch (cause) {
    throw unreadable(file, remedy, cause)
  }
}

const unreadable = (file: string | null, remedy: string, cause: unknown): BasaltError =>
  new BasaltError('request.invalid', {
    message: `${file ?? 'the standard input'} cannot be read: ${(cause as Error).message}`,
    remedy,
    details: { file },
    cause,
  })
