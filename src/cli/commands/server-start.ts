import { defineCommand } from '../command.ts'
import { reportServer } from '../report-server.ts'

export const serverStartCommand = defineCommand({
  name: 'server start',
  summary: 'start the server in the background; commands do it by themselves as root',
  flags: {},
  args: {},
  examples: [{ command: 'sudo basalt server start', does: 'so that members of the group basalt can work' }],
  schemas: ['basalt.server/v1'],
  async run(_input, context) {
    await context.engine()
    await reportServer(context)
  },
})
