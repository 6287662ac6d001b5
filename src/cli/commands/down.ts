import { defineCommand } from '../command.ts'
import { confirm } from '../confirm.ts'
import { environmentFlag, fileFlag, waitFlag, yesFlag } from '../flags.ts'
import { defaultEnvironment, scopeOf } from '../project.ts'
import { runDeployment } from '../run-deployment.ts'

export const downCommand = defineCommand({
  name: 'down',
  summary: 'stop everything of an environment; volumes and releases stay',
  flags: { env: environmentFlag, file: fileFlag, wait: waitFlag, yes: yesFlag },
  args: {},
  examples: [
    { command: 'basalt down -e staging', does: 'stop staging, after a question' },
    { command: 'basalt deploy -e staging', does: 'bring it back' },
  ],
  schemas: ['basalt.deployment/v1', 'basalt.deployment-started/v1'],
  async run({ flags }, context) {
    const scope = await scopeOf(context.folder, flags)
    const environment = await defaultEnvironment(scope)
    const request = { file: null, system: scope.system, environment, wait: flags.wait === true }
    if (!flags.yes)
      await confirm(`Everything of ${environment ?? 'the environment'} will be stopped.`, context)
    const engine = await context.engine()
    return runDeployment(
      engine,
      {
        kind: 'down',
        title: 'stopping',
        plan: null,
        start: (_plan, notify) => engine.down(request, notify),
        dryRun: false,
        yes: flags.yes,
        follow: flags.wait !== false,
      },
      context,
    )
  },
})
