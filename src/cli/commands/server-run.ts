import { BasaltError } from '../../errors.ts'
import { asRoot } from '../../server/home.ts'
import { defineCommand } from '../command.ts'

export const serverRunCommand = defineCommand({
  name: 'server run',
  summary: 'run the server in the foreground, for a service manager',
  description: 'Writes JSON lines to the standard output. SIGTERM ends it in good order; instances go on.',
  flags: {},
  args: {},
  examples: [{ command: 'sudo basalt server run', does: 'what a systemd unit would start' }],
  schemas: [],
  async run(_input, context) {
    if (context.userId !== 0)
      throw new BasaltError('host.not-root', {
        message: 'the server needs root',
        remedy: `Run: ${asRoot(context.home.folder, 'server run')}`,
      })
    // From here on this process is the server: what signals mean is its decision.
    process.removeAllListeners('SIGINT')
    process.removeAllListeners('SIGTERM')
    const { serverProgram } = await import('../client/launch-server.ts')
    await import(serverProgram())
    return Number(process.exitCode ?? 0)
  },
})
