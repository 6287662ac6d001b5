import { defineCommand } from '../command.ts'
import { countFlag, environmentFlag, longFileFlag, optional, switchFlag } from '../flags.ts'
import { defaultEnvironment, scopeOf } from '../project.ts'
import { renderLogLine } from '../render/log-line.ts'

export const logsCommand = defineCommand({
  name: 'logs',
  summary: 'show what instances wrote',
  description:
    'Of the release that serves, and of the one that is being deployed. --follow goes on with the instances that take ' +
    'their place. What an instance wrote that has ended, that of a failed deployment too, is shown by --previous.',
  flags: {
    env: environmentFlag,
    file: longFileFlag,
    follow: switchFlag('go on with what they write from now on', { short: 'f' }),
    tail: countFlag('count', 'only the last lines of each instance', null, { short: 'n' }),
    previous: switchFlag('of instances that are gone: the newest of each service', { short: 'p' }),
    timestamps: switchFlag('with -f: show when each new line came', { short: 't' }),
  },
  args: { service: optional('default: all services', 'service') },
  examples: [
    { command: 'basalt logs web -f', does: 'follow all instances of web' },
    { command: 'basalt logs web --previous', does: 'what the last instance of web wrote that ended' },
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
      previous: flags.previous,
    }
    const { output } = context
    if (flags.timestamps && !flags.follow)
      output.note('when these lines were written is not kept; with --follow, new ones show when they came')
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
