import { dirname, relative, resolve } from 'node:path'
import { defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { dryRunFlag, optional, textFlag } from '../flags.ts'
import { countFates, renderImport } from '../render/compose-import.ts'
import { printable } from '../render/printable.ts'

export const initCommand = defineCommand({
  name: 'init',
  summary: 'look at a folder and write a first basalt.yaml for it',
  description:
    'With `--from`, a Compose project becomes basalt.yaml, beside the Compose file unless a folder is named. A table ' +
    'says of every part whether it was carried over, changed, dropped or refused, and why; docs/compose.md lists ' +
    'every key. An existing basalt.yaml is never overwritten.',
  flags: {
    dryRun: dryRunFlag,
    from: textFlag('file', 'a Compose file to import', { completes: 'file' }),
  },
  args: { folder: optional('the folder of the system; default: this one', 'file') },
  examples: [
    { command: 'basalt init', does: 'write basalt.yaml for the application in this folder' },
    { command: 'basalt init --dry-run', does: 'only print what it would be' },
    { command: 'basalt init --from compose.yaml', does: 'import a Compose project' },
  ],
  schemas: ['basalt.init/v1', 'basalt.compose-import/v1'],
  async run({ flags, args }, context) {
    if (flags.from !== null) return importProject(flags.from, args.folder, flags.dryRun, context)
    const folder = resolve(context.folder, args.folder ?? '.')
    const { initManifest, proposeManifest } = await import('../../config/init.ts')
    const { impliedTarget } = await import('../../config/implied-target.ts')
    const { output } = context
    const options = { target: impliedTarget(context.environment) }
    const proposal = flags.dryRun
      ? { ...(await proposeManifest(folder, options)), file: null }
      : await initManifest(folder, options)
    const { file, text, notes } = proposal
    await output.result({ schema: 'basalt.init/v1', file, text, notes }, () =>
      file === null ? text.trimEnd() : `wrote ${relative(context.folder, file)}`,
    )
    if (output.format !== 'table') return
    for (const note of notes) output.note(`${output.paintNote('yellow', 'check:')} ${printable(note)}`)
    if (file !== null) output.note('Next: basalt validate, then basalt up')
  },
})

async function importProject(
  from: string,
  folder: string | null,
  dryRun: boolean,
  { folder: here, environment, output }: Context,
): Promise<void> {
  const { initFromCompose } = await import('../../config/init.ts')
  const { impliedTarget } = await import('../../config/implied-target.ts')
  const { filesOnDisk } = await import('../../config/compose/load/compose-files.ts')
  const composeFile = resolve(here, from)
  const root = folder === null ? dirname(composeFile) : resolve(here, folder)
  const source = { files: filesOnDisk, environment: (name: string) => environment[name], folder: here }
  const { file, text, rows, files } = await initFromCompose(composeFile, root, source, {
    dryRun,
    target: impliedTarget(environment),
  })
  const counts = countFates(rows)
  const document = { schema: 'basalt.compose-import/v1', file, text, from: files, rows, counts }
  await output.result(document, () =>
    file === null
      ? text.trimEnd()
      : `${renderImport(rows, output.paint)}\n\nwrote ${printable(relative(here, file))}`,
  )
  if (output.format !== 'table') return
  if (file === null) output.note(`\n${renderImport(rows, output.paintNote)}`)
  const { carried, changed, dropped, refused } = counts
  output.note(`${carried} carried, ${changed} changed, ${dropped} dropped, ${refused} refused`)
  if (refused > 0) output.note(`${output.paintNote('yellow', 'check:')} what was refused before you deploy`)
  if (file !== null) output.note('Next: basalt validate, then basalt up')
}
