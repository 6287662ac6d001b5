import { defineCommand } from '../command.ts'
import { required } from '../flags.ts'

export const abortCommand = defineCommand({
  name: 'abort',
  summary: 'make a running deployment return to what served before',
  flags: {},
  args: { deployment: required('its id, as `basalt status` shows it', 'running-deployment') },
  examples: [{ command: 'basalt abort d-01jc8zq4k7w2m5x9', does: 'give it up' }],
  schemas: ['basalt.abort/v1'],
  async run({ args }, context) {
    const engine = await context.engine()
    const answer = await engine.abort(args.deployment)
    await context.output.result(
      answer,
      () =>
        `deployment ${args.deployment} returns to what served before; follow it: basalt follow ${args.deployment}`,
    )
  },
})
