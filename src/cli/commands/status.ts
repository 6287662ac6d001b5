import { defineCommand } from '../command.ts'
import { environmentFlag, fileFlag, switchFlag } from '../flags.ts'
import { refuseUndeclared, scopeOf } from '../project.ts'
import { renderStatus } from '../render/status.ts'

export const statusCommand = defineCommand({
  name: 'status',
  summary: 'show environments: release, health, endpoints, drift',
  flags: {
    env: environmentFlag,
    file: fileFlag,
    all: switchFlag('every system of this server, not only that of this folder', { short: 'a' }),
  },
  args: {},
  examples: [
    { command: 'basalt status', does: 'all environments of the system of this folder' },
    { command: 'basalt status --all -o json', does: 'everything, for a script' },
  ],
  schemas: ['basalt.status/v1'],
  async run({ flags }, context) {
    const scope = await scopeOf(context.folder, flags, flags.all)
    const engine = await context.engine()
    const system = flags.all ? null : scope.system
    const status = await engine.status({ system, environment: scope.environment })
    if (status.environments.length === 0) await refuseUndeclared(scope)
    await context.output.result(status, () => renderStatus(status, context.output.paint, context.now()))
  },
})
