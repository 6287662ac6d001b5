import { defineCommand } from '../command.ts'
import {
  dryRunFlag,
  environmentFlag,
  fileFlag,
  optional,
  reasonFlag,
  timeoutFlag,
  waitFlag,
  yesFlag,
} from '../flags.ts'
import { defaultEnvironment, scopeOf } from '../project.ts'
import { runDeployment } from '../run-deployment.ts'

export const rollbackCommand = defineCommand({
  name: 'rollback',
  summary: 'return an environment to an earlier release',
  description:
    'A deployment like any other, to the last good generation or to the release that is named. It builds and ' +
    'fetches nothing; while that generation is warm, it is one switch. Shows what it will do first.',
  flags: {
    env: environmentFlag,
    file: fileFlag,
    reason: reasonFlag,
    wait: waitFlag,
    timeout: timeoutFlag,
    yes: yesFlag,
    dryRun: dryRunFlag,
  },
  args: { release: optional('shop@6, 6, or a digest; default: what served well before', 'release') },
  examples: [
    { command: 'basalt rollback', does: 'back to what served before' },
    { command: 'basalt rollback shop@6 -e production', does: 'back to a certain release' },
    { command: 'basalt rollback --dry-run', does: 'only show what would happen' },
  ],
  schemas: ['basalt.deployment/v1', 'basalt.deployment-started/v1', 'basalt.plan/v1'],
  async run({ flags, args }, context) {
    const scope = await scopeOf(context.folder, flags)
    // Without the file: what ran is in the ledger, and a mistake in basalt.yaml must not stand in the way.
    const request = {
      file: null,
      system: scope.system,
      environment: await defaultEnvironment(scope),
      to: args.release,
      wait: flags.wait === true,
      timeoutMs: flags.timeout,
      reason: flags.reason,
    }
    const engine = await context.engine()
    return runDeployment(
      engine,
      {
        kind: 'rollback',
        title: 'rolling back',
        plan: (notify) => engine.planRollback(request, notify),
        start: (_plan, notify) => engine.rollback(request, notify),
        dryRun: flags.dryRun,
        yes: flags.yes,
        follow: flags.wait !== false,
      },
      context,
    )
  },
})
