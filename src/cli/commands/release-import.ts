import { statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { BasaltError } from '../../errors.ts'
import { defineCommand } from '../command.ts'
import { required } from '../flags.ts'

export const releaseImportCommand = defineCommand({
  name: 'release import',
  summary: 'take in a release that was exported elsewhere',
  description: 'Every byte is checked against its digest. `-` reads the standard input.',
  flags: {},
  args: { archive: required('the file that `basalt release export` wrote', 'file') },
  examples: [{ command: 'basalt release import shop-7.tar', does: 'make it deployable here' }],
  schemas: ['basalt.release-imported/v1'],
  async run({ args }, context) {
    const file = args.archive === '-' ? null : resolve(context.folder, args.archive)
    const content = file === null ? process.stdin : await openArchive(file)
    try {
      const engine = await context.engine()
      const imported = await engine.importRelease(Readable.from(chunksOf(content, file)))
      await context.output.result(
        imported,
        () => `imported ${context.output.paint('bold', imported.release.name)} ${imported.release.digest}`,
      )
      // It may well have had another number where it was exported.
      if (context.output.format === 'table')
        context.output.note('The number is given by this server; the digest is the same everywhere.')
    } finally {
      // An archive that was refused may have no end yet.
      content.destroy()
    }
  },
})

/** Opened before a server is asked for, so that a file that cannot be read starts none. */
async function openArchive(file: string): Promise<Readable> {
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
    throw unreadable(file, cause)
  }
}

/** With errors of reading told as such: to the connection they would look like its own. */
async function* chunksOf(content: Readable, file: string | null): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of content) yield chunk as Uint8Array
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

const unreadable = (file: string | null, cause: unknown): BasaltError =>
  new BasaltError('request.invalid', {
    message: `${file ?? 'the standard input'} cannot be read: ${(cause as Error).message}`,
    remedy,
    details: { file },
    cause,
  })

const remedy = 'Name a file that `basalt release export` wrote, and that you may read.'
