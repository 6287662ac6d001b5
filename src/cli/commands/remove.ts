import { assertMayRemove, removeHome } from '../client/remove-home.ts'
import { removeAll, runningServer } from '../client/server-control.ts'
import { defineCommand } from '../command.ts'
import { confirm } from '../confirm.ts'
import { switchFlag, yesFlag } from '../flags.ts'
import { reportServer } from '../report-server.ts'

export const removeCommand = defineCommand({
  name: 'remove',
  summary: 'take everything of this Basalt off the machine: instances, router, network, server',
  description:
    'Every environment is taken down by a deployment that the ledger keeps. Releases, volumes and the ledger stay in the ' +
    'state folder, unless --data is said too.',
  flags: {
    data: switchFlag('delete the state folder as well: releases, volumes and the ledger'),
    yes: yesFlag,
  },
  args: {},
  examples: [
    { command: 'basalt remove', does: 'end all that runs, after a question' },
    { command: 'basalt remove --data --yes', does: 'leave nothing of this BASALT_HOME behind' },
  ],
  schemas: ['basalt.server/v1'],
  async run({ flags }, context) {
    const { home } = context
    const what = flags.data
      ? `Everything that runs, and ${home.folder} with all data,`
      : 'Everything that runs'
    if (flags.data) assertMayRemove(home, context.userId)
    if (!flags.yes) await confirm(`${what} will be removed.`, context)
    await context.engine()
    if ((await runningServer(context.connection, home)) !== null) await removeAll(context.connection, home)
    const strange = flags.data ? await removeHome(home) : []
    if (strange.length > 0) context.output.note(`${home.folder} stays: ${strange.join(', ')} is not Basalt's`)
    await reportServer(context, `removed all that ran${flags.data ? `, and the data in ${home.folder}` : ''}`)
  },
})
