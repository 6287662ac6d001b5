import { defineCommand } from '../command.ts'
import { countFlag, environmentFlag, fileFlag } from '../flags.ts'
import { refuseUndeclared, scopeOf } from '../project.ts'
import { renderHistory } from '../render/history.ts'

export const historyCommand = defineCommand({
  name: 'history',
  summary: 'list every attempt to change an environment: who, when, from, to, outcome',
  flags: {
    env: environmentFlag,
    file: fileFlag,
    limit: countFlag('count', 'how many, newest first', 20, { short: 'n' }),
  },
  args: {},
  examples: [{ command: 'basalt history -e production -n 50', does: 'the last 50 attempts in production' }],
  schemas: ['basalt.history/v1'],
  async run({ flags }, context) {
    const scope = await scopeOf(context.folder, flags)
    const { system, environment } = scope
    const engine = await context.engine()
    const history = await engine.history({ system, environment, limit: flags.limit ?? 20 })
    if (history.attempts.length === 0) await refuseUndeclared(scope)
    await context.output.result(history, () => renderHistory(history, context.output.paint, context.now()))
  },
})
