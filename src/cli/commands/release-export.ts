import { createWriteStream, statSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BasaltError } from '../../errors.ts'
import { defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { fileFlag, optional, required } from '../flags.ts'
import { scopeOf, systemOfRelease } from '../project.ts'
import { formatSize } from '../render/names.ts'

export const releaseExportCommand = defineCommand({
  name: 'release export',
  summary: 'write a release and everything reachable from it to one file',
  description: 'The file is a tar of an OCI layout. `-` writes it to the standard output.',
  flags: { file: fileFlag },
  args: {
    release: required('shop@7, 7, or a digest', 'release'),
    archive: optional('the file to write; default: shop-7.tar', 'file'),
  },
  examples: [
    { command: 'basalt release export shop@7', does: 'write shop-7.tar' },
    { command: 'basalt release export shop@7 - | ssh host basalt release import -', does: 'carry it over' },
  ],
  schemas: ['basalt.release-exported/v1'],
  async run({ flags, args }, context) {
    const named = systemOfRelease(args.release)
    const { system } = await scopeOf(context.folder, flags, named !== null)
    const engine = await context.engine()
    const request = { system: named ?? system, release: args.release }
    if (args.archive === '-') return toStandardOutput(engine.exportRelease(request), context)
    // The server's reading of what was typed: a number, a name or some digits of a digest.
    const { from: release } = await engine.diff({
      system: request.system,
      from: args.release,
      to: args.release,
    })
    const file = resolve(context.folder, args.archive ?? `${release.name.replace('@', '-')}.tar`)
    const written = await writeArchive(engine.exportRelease(request), file)
    await context.output.result(
      { schema: 'basalt.release-exported/v1', release, file, ...written },
      () => `wrote ${release.name} to ${file} (${formatSize(written.sizeBytes)})`,
    )
  },
})

async function toStandardOutput(bytes: AsyncIterable<Uint8Array>, { output }: Context): Promise<void> {
  if (output.streams.stdout.isTTY)
    throw new BasaltError('request.invalid', {
      message: 'an archive is not written to a terminal',
      remedy: 'Name a file, or send the output into a pipe.',
    })
  await pipeline(Readable.from(bytes), output.streams.stdout, { end: false })
}

/** Appears under its name only when it is complete. */
async function writeArchive(
  bytes: AsyncIterable<Uint8Array>,
  file: string,
): Promise<{ readonly sizeBytes: number; readonly sha256: string }> {
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory())
    throw new BasaltError('request.invalid', {
      message: `${file} is a folder`,
      remedy: 'Name the file that is to be written.',
      details: { file },
    })
  const partial = `${file}.partial`
  const { createHash } = await import('node:crypto')
  const hash = createHash('sha256')
  let sizeBytes = 0
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      hash.update(chunk)
      sizeBytes += chunk.byteLength
      yield chunk
    }
  }
  try {
    await pipeline(Readable.from(counted()), createWriteStream(partial, { flush: true }))
    await rename(partial, file)
  } catch (error) {
    await rm(partial, { force: true })
    throw error instanceof BasaltError ? error : notWritten(file, error)
  }
  return { sizeBytes, sha256: hash.digest('hex') }
}

function notWritten(file: string, cause: unknown): BasaltError {
  const full = (cause as NodeJS.ErrnoException).code === 'ENOSPC'
  return new BasaltError(full ? 'host.disk-full' : 'request.invalid', {
    message: `${file} cannot be written: ${(cause as Error).message}`,
    remedy: full ? 'Make room, or name a file on another disk.' : 'Name a file that you may write.',
    details: { file },
    cause,
  })
}
