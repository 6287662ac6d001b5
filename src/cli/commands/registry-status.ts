import { defineCommand } from '../command.ts'
import { renderRegistry } from '../render/registry.ts'

export const registryStatusCommand = defineCommand({
  name: 'registry status',
  summary: 'show whether the registry is served, and where',
  flags: {},
  args: {},
  examples: [{ command: 'basalt registry status', does: 'its address, and how to pull and push' }],
  schemas: ['basalt.registry/v1'],
  async run(_input, context) {
    const document = await (await context.engine()).registry()
    await context.output.result(document, () => renderRegistry(document, context.output.paint))
  },
})
