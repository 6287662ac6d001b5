import { defineCommand } from '../command.ts'
import { renderRegistry } from '../render/registry.ts'

export const registryDisableCommand = defineCommand({
  name: 'registry disable',
  summary: 'serve the registry no more; what was pushed, and the tokens, stay',
  flags: {},
  args: {},
  examples: [{ command: 'basalt registry disable', does: 'close its port' }],
  schemas: ['basalt.registry/v1'],
  async run(_input, context) {
    const document = await (await context.engine()).disableRegistry()
    await context.output.result(document, () => renderRegistry(document, context.output.paint))
  },
})
