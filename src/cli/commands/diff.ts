import { defineCommand } from '../command.ts'
import { fileFlag, required } from '../flags.ts'
import { scopeOf, systemOfRelease } from '../project.ts'
import { renderDiff } from '../render/diff.ts'

export const diffCommand = defineCommand({
  name: 'diff',
  summary: 'show what differs between two releases',
  flags: { file: fileFlag },
  args: { from: required('a release', 'release'), to: required('another one', 'release') },
  examples: [{ command: 'basalt diff shop@1 shop@2', does: 'what shop@2 changed' }],
  schemas: ['basalt.diff/v1'],
  async run({ flags, args }, context) {
    const named = systemOfRelease(args.from)
    const { system } = await scopeOf(context.folder, flags, named !== null)
    const engine = await context.engine()
    const diff = await engine.diff({ system: named ?? system, from: args.from, to: args.to })
    await context.output.result(diff, () => renderDiff(diff, context.output.paint))
  },
})
