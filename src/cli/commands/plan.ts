import { defineCommand } from '../command.ts'
import { deployRequest } from '../deploy-request.ts'
import { environmentFlag, fileFlag, optional, switchFlag } from '../flags.ts'
import { renderPlan } from '../render/plan.ts'
import { watched } from '../run-deployment.ts'

const changesExitCode = 2

export const planCommand = defineCommand({
  name: 'plan',
  summary: 'show what a deployment would start, keep and stop, and why',
  description: 'Builds when no release is named, because only then is it known what would change.',
  flags: {
    env: environmentFlag,
    file: fileFlag,
    all: switchFlag('replace every group, also unchanged ones'),
    exitCode: switchFlag('exit with 0 when there is nothing to do, 2 when there is, 1 on an error'),
  },
  args: { release: optional('shop@7, 7, or a digest; default: what the folder is now', 'release') },
  examples: [
    { command: 'basalt plan', does: 'what would change in the first environment' },
    { command: 'basalt plan shop@7 -e production', does: 'what an older release would change' },
    { command: 'basalt plan --exit-code', does: 'for pipelines' },
  ],
  schemas: ['basalt.plan/v1'],
  errorExitCode: ({ exitCode }) => (exitCode ? 1 : null),
  async run({ flags, args }, context) {
    const request = await deployRequest(context, { ...flags, release: args.release })
    const engine = await context.engine()
    const plan = await watched((notify) => engine.plan(request, notify), 'planning', context)
    const { output } = context
    await output.result(plan, () => renderPlan(plan, output.paint, output.verbose))
    return flags.exitCode && !plan.empty ? changesExitCode : 0
  },
})
