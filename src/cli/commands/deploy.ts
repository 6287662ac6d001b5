import { defineCommand } from '../command.ts'
import { deployRequest } from '../deploy-request.ts'
import {
  dryRunFlag,
  environmentFlag,
  fileFlag,
  optional,
  reasonFlag,
  switchFlag,
  timeoutFlag,
  waitFlag,
  yesFlag,
} from '../flags.ts'
import { runDeployment } from '../run-deployment.ts'

export const deployCommand = defineCommand({
  name: 'deploy',
  summary: 'move an environment to a release, by replacement',
  description:
    'Builds what the folder is now, or takes the release that is named; starts what is new, switches all traffic ' +
    'in one step when it is healthy, and only then stops what was replaced. When anything fails, the environment ' +
    'goes on serving what it served before. Ctrl-C ends the watching, not the deployment.',
  flags: {
    env: environmentFlag,
    file: fileFlag,
    all: switchFlag('replace every group, also unchanged ones'),
    reason: reasonFlag,
    wait: waitFlag,
    timeout: timeoutFlag,
    yes: yesFlag,
    dryRun: dryRunFlag,
  },
  args: { release: optional('shop@7, 7, or a digest; default: what the folder is now', 'release') },
  examples: [
    { command: 'basalt deploy', does: 'build and deploy to the first environment' },
    {
      command: 'basalt deploy -e production shop@7',
      does: 'deploy what was built before, digest for digest',
    },
    { command: 'basalt deploy --no-wait -o json', does: 'start it and return its id' },
  ],
  schemas: ['basalt.deployment/v1', 'basalt.deployment-started/v1', 'basalt.plan/v1'],
  async run({ flags, args }, context) {
    const request = await deployRequest(context, { ...flags, release: args.release })
    const engine = await context.engine()
    return runDeployment(
      engine,
      {
        kind: 'deploy',
        title: args.release === null ? 'building' : `preparing ${args.release}`,
        plan: (notify) => engine.plan(request, notify),
        // The very release that the plan was about, whatever has been built or edited since.
        start: (plan, notify) =>
          engine.deploy({ ...request, release: plan?.to.digest ?? request.release }, notify),
        dryRun: flags.dryRun,
        yes: flags.yes,
        follow: flags.wait !== false,
      },
      context,
    )
  },
})
