import { defineCommand } from '../command.ts'
import { fileFlag, optional, switchFlag } from '../flags.ts'
import { scopeOf } from '../project.ts'
import { renderReleases } from '../render/releases.ts'

export const releasesCommand = defineCommand({
  name: 'releases',
  summary: 'list releases, newest first, and where they serve',
  flags: { file: fileFlag, all: switchFlag('of every system of this server', { short: 'a' }) },
  args: { system: optional('default: that of this folder', 'system') },
  examples: [{ command: 'basalt releases', does: 'the releases of the system of this folder' }],
  schemas: ['basalt.releases/v1'],
  async run({ flags, args }, context) {
    const scope = await scopeOf(context.folder, flags, flags.all || args.system !== null)
    const engine = await context.engine()
    const releases = await engine.releases(flags.all ? null : (args.system ?? scope.system))
    await context.output.result(releases, () => renderReleases(releases, context.output.paint, context.now()))
  },
})
