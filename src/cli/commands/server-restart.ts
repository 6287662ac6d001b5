import { BasaltError } from '../../errors.ts'
import { asRoot } from '../../server/home.ts'
import { stopServer } from '../client/server-control.ts'
import { defineCommand } from '../command.ts'
import { reportServer } from '../report-server.ts'

export const serverRestartCommand = defineCommand({
  name: 'server restart',
  summary: 'stop the server and start this version of it; instances and traffic go on',
  flags: {},
  args: {},
  examples: [{ command: 'sudo basalt server restart', does: 'after an upgrade' }],
  schemas: ['basalt.server/v1'],
  async run(_input, context) {
    // Asked first: a server that is stopped by somebody who cannot start it again stays away.
    if (context.userId !== 0)
      throw new BasaltError('host.not-root', {
        message: 'only root can start a server',
        remedy: `Run: ${asRoot(context.home.folder, 'server restart')}`,
      })
    if ((await context.server()) !== null) await stopServer(context.connection, context.home)
    await context.engine()
    await reportServer(context)
  },
})
