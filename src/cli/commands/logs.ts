import { defineCommand } from '../command.ts'
import { countFlag, environmentFlag, longFileFlag, optional, switchFlag } from '../flags.ts'
import { defaultEnvironment, scopeOf } from '../project.ts'
import { renderLogLine } from '../render/log-line.ts'

export const logsCommand = defineCommand({
  name: 'logs',
  summary: 'show what instances wrote',
  flags: {
    env: environmentFlag,
    file: longFileFlag,
    follow: switchFlag('go on with what they write from now on', { short: 'f' }),
    tail: countFlag('count', 'only the last lines of each instance', null, { short: 'n' }),
    timestamps: switchFlag('show when each line was written', { short: 't' }),
  },
  args: { service: optional('default: all services', 'service') },
  examples: [
    { command: 'basalt logs web -f', does: 'follow all instances of web' },
    { command: 'basalt logs -n 100 -o json', does: 'the last lines of everything, as NDJSON' },
  ],
  schemas: ['basalt.log-line/v1'],
  async run({ flags, args }, context) {
    const scope = await scopeOf(context.folder, flags)
    const engine = await context.engine()
    const request = {
      system: scope.system,
      environment: await defaultEnvironment(scope),
      service: args.service,
      follow: flags.follow,
      tail: flags.tail,
    }
    const { output } = context
    try {
      for await (const line of engine.logs(request))
        await output.item({ schema: 'basalt.log-line/v1', ...line }, () =>
          renderLogLine(line, output.paint, flags.timestamps),
        )
    } catch (error) {
      // Ctrl-C is how one stops following.
      if (!(flags.follow && context.interrupt.aborted)) throw error
    }
  },
})
