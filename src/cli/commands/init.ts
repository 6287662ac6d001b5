import { relative, resolve } from 'node:path'
import { defineCommand } from '../command.ts'
import { dryRunFlag, optional } from '../flags.ts'
import { printable } from '../render/printable.ts'

export const initCommand = defineCommand({
  name: 'init',
  summary: 'look at a folder and write a first basalt.yaml for it',
  flags: { dryRun: dryRunFlag },
  args: { folder: optional('the folder of the system; default: this one', 'file') },
  examples: [
    { command: 'basalt init', does: 'write basalt.yaml for the application in this folder' },
    { command: 'basalt init --dry-run', does: 'only print what it would be' },
  ],
  schemas: ['basalt.init/v1'],
  async run({ flags, args }, context) {
    const folder = resolve(context.folder, args.folder ?? '.')
    const { initManifest, proposeManifest } = await import('../../config/init.ts')
    const { output } = context
    const proposal = flags.dryRun
      ? { ...(await proposeManifest(folder)), file: null }
      : await initManifest(folder)
    const { file, text, notes } = proposal
    await output.result({ schema: 'basalt.init/v1', file, text, notes }, () =>
      file === null ? text.trimEnd() : `wrote ${relative(context.folder, file)}`,
    )
    if (output.format !== 'table') return
    for (const note of notes) output.note(`${output.paintNote('yellow', 'check:')} ${printable(note)}`)
    if (file !== null) output.note('Next: basalt validate, then basalt deploy')
  },
})
