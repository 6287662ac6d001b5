import { version } from '../../util/version.ts'
import { defineCommand } from '../command.ts'

export const versionCommand = defineCommand({
  name: 'version',
  summary: 'show the versions of Basalt and of Node',
  flags: {},
  args: {},
  examples: [{ command: 'basalt version -o json', does: 'for a script' }],
  schemas: ['basalt.version/v1'],
  async run(_input, context) {
    const document = { schema: 'basalt.version/v1', version, node: process.versions.node }
    await context.output.result(document, () => `basalt ${version} (Node ${process.versions.node})`)
  },
})
