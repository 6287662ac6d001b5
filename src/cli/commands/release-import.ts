import { createReadStream, statSync } from 'node:fs'
import { resolve } from 'node:path'
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
    const content = args.archive === '-' ? process.stdin : openArchive(resolve(context.folder, args.archive))
    const engine = await context.engine()
    const imported = await engine.importRelease(content)
    await context.output.result(
      imported,
      () => `imported ${context.output.paint('bold', imported.release.name)} ${imported.release.digest}`,
    )
  },
})

function openArchive(file: string) {
  const stats = statSync(file, { throwIfNoEntry: false })
  if (stats?.isFile()) return createReadStream(file)
  throw new BasaltError('request.invalid', {
    message: stats === undefined ? `there is no file ${file}` : `${file} is not a file`,
    remedy: 'Name the file that `basalt release export` wrote.',
    details: { file },
  })
}
