import { basename, dirname } from 'node:path'
import { isDockerfile } from '../../config/implied-names.ts'
import type { BuildResult } from '../../engine/engine.ts'
import type { RemoteEngine } from '../client/remote-engine.ts'
import { defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { deployRequest } from '../deploy-request.ts'
import { formatDuration } from '../duration.ts'
import { environmentFlag, fileFlag, reasonFlag, timeoutFlag, waitFlag } from '../flags.ts'
import { composeFileIn, defaultEnvironment, manifestMissing, type Scope } from '../project.ts'
import { shortDigest } from '../render/names.ts'
import { runDeployment, watched } from '../run-deployment.ts'

export const upCommand = defineCommand({
  name: 'up',
  summary: 'build what the folder is now, and deploy it',
  description:
    'One command from a folder to what serves. Without a basalt.yaml a Dockerfile is enough: the system is named ' +
    'after the folder, its port is the one of EXPOSE, and it is healthy when GET / answers. Nothing is asked: what ' +
    'served before goes on until the new one is healthy, stays warm after it, and `basalt rollback` returns to it.',
  flags: {
    env: environmentFlag,
    file: fileFlag,
    reason: reasonFlag,
    wait: waitFlag,
    timeout: timeoutFlag,
  },
  args: {},
  examples: [
    { command: 'basalt up', does: 'build and deploy to the first environment' },
    { command: 'basalt up -e staging --no-wait', does: 'build, start the deployment and return' },
  ],
  schemas: ['basalt.deployment/v1', 'basalt.deployment-started/v1'],
  async run({ flags }, context) {
    const request = await deployRequest(context, { ...flags, release: null, all: false })
    const { file } = request
    if (file === null) throw manifestMissing('there is no basalt.yaml here, and no Dockerfile either')
    const compose = isDockerfile(file) ? composeFileIn(dirname(file)) : undefined
    if (compose !== undefined)
      context.output.note(
        `${context.output.paintNote('yellow', 'check:')} ${compose} is not read; this deploys ${basename(file)} alone. To import it: basalt init --from ${compose}`,
      )
    const engine = await context.engine()
    const build = { file, update: false, check: false, log: false }
    const built = await watched((notify) => engine.build(build, notify), 'building', context)
    context.output.note(builtLines(built))
    const code = await runDeployment(
      engine,
      {
        kind: 'deploy',
        title: `preparing ${built.release.name}`,
        plan: null,
        start: (_plan, notify) => engine.deploy({ ...request, release: built.release.digest }, notify),
        dryRun: false,
        yes: true,
        follow: flags.wait !== false,
      },
      context,
    )
    if (code === 0 && flags.wait !== false && context.output.format === 'table')
      await tellWhere(engine, request, context)
    return code
  },
})

const builtLines = ({ images }: BuildResult): string =>
  images
    .map(
      ({ service, image, cached, durationMs }) =>
        `${cached ? `unchanged ${service}` : `built ${service} ${formatDuration(durationMs)}`}  ${shortDigest(image)}`,
    )
    .join('\n')

/** Where what was deployed answers. */
async function tellWhere(engine: RemoteEngine, scope: Scope, { output }: Context): Promise<void> {
  const environment = await defaultEnvironment(scope)
  const { environments } = await engine.status({ system: scope.system, environment })
  for (const { release, endpoints } of environments)
    if (release !== null && endpoints.length > 0)
      output.streams.stdout.write(`${output.paint('bold', release.name)} serving at ${endpoints.join(' ')}\n`)
}
