import { stopServer } from '../client/server-control.ts'
import { defineCommand } from '../command.ts'
import { reportServer } from '../report-server.ts'

export const serverStopCommand = defineCommand({
  name: 'server stop',
  summary: 'stop the server; instances and traffic go on',
  flags: {},
  args: {},
  examples: [{ command: 'basalt server stop', does: 'end the server of this BASALT_HOME' }],
  schemas: ['basalt.server/v1'],
  async run(_input, context) {
    if ((await context.server()) === null) return void (await reportServer(context))
    const { pid } = await stopServer(context.connection, context.home)
    await reportServer(context, `the server (pid ${pid}) has ended; instances and traffic go on`)
  },
})
