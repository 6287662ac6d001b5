import { defineCommand } from '../command.ts'
import { required } from '../flags.ts'
import { renderTokens } from '../render/registry.ts'

export const registryRevokeCommand = defineCommand({
  name: 'registry revoke',
  summary: 'take a token of the registry back, at once',
  flags: {},
  args: { name: required('the name of the token') },
  examples: [{ command: 'basalt registry revoke ci', does: 'ci may do nothing any more' }],
  schemas: ['basalt.registry-tokens/v1'],
  async run({ args }, context) {
    const tokens = await (await context.engine()).revokeRegistryToken(args.name)
    await context.output.result(tokens, () => renderTokens(tokens, context.output.paint, context.now()))
  },
})
