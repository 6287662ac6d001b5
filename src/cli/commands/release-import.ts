import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { openArchive, readableChunks } from '../archive-input.ts'
import { defineCommand } from '../command.ts'
import { required } from '../flags.ts'

const remedy = 'Name a file that `basalt release export` wrote, and that you may read.'

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
    const content = file === null ? process.stdin : await openArchive(file, remedy)
    try {
      const engine = await context.engine()
      const imported = await engine.importRelease(Readable.from(readableChunks(content, file, remedy)))
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
