import { defineCommand } from '../command.ts'
import { reportServer } from '../report-server.ts'

export const serverStatusCommand = defineCommand({
  name: 'server status',
  summary: 'show whether a server runs, and which',
  description: 'Exits with 3 when none runs. Starts none.',
  flags: {},
  args: {},
  examples: [{ command: 'basalt server status -o json', does: 'for a script' }],
  schemas: ['basalt.server/v1'],
  async run(_input, context) {
    return (await reportServer(context)) ? 0 : 3
  },
})
