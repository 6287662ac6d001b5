import { defineCommand } from '../command.ts'
import { renderTokens } from '../render/registry.ts'

export const registryTokensCommand = defineCommand({
  name: 'registry tokens',
  summary: 'list who may use the registry; not the tokens themselves',
  flags: {},
  args: {},
  examples: [{ command: 'basalt registry tokens', does: 'names, scopes, and who made them' }],
  schemas: ['basalt.registry-tokens/v1'],
  async run(_input, context) {
    const tokens = await (await context.engine()).registryTokens()
    await context.output.result(tokens, () => renderTokens(tokens, context.output.paint, context.now()))
  },
})
