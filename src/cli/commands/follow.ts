import { defineCommand } from '../command.ts'
import { required } from '../flags.ts'
import { followDeployment } from '../follow-deployment.ts'

export const followCommand = defineCommand({
  name: 'follow',
  summary: 'watch a deployment to its outcome, from its first event on',
  description: 'Exits as the deployment does. Works for one that has ended, too.',
  flags: {},
  args: { deployment: required('its id, as `basalt history` shows it', 'deployment') },
  examples: [{ command: 'basalt follow d-01jc8zq4k7w2m5x9', does: 'watch again after Ctrl-C' }],
  schemas: ['basalt.deployment/v1'],
  async run({ args }, context) {
    return followDeployment(await context.engine(), args.deployment, context)
  },
})
