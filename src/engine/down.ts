import { emptyGeneration } from '../core/bind.ts'
import { servingGeneration } from '../core/environment-state.ts'
import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'
import type { DeploymentStarted, DownRequest } from './engine.ts'
import { findEnvironment } from './find-environment.ts'
import { launch, type Stage } from './launch.ts'
import type { EnginePorts } from './ports.ts'

/** Replaces what runs by nothing. Volumes stay. */
export async function down(
  ports: EnginePorts,
  stage: Stage,
  request: DownRequest,
  op: Op,
): Promise<DeploymentStarted> {
  const { id } = await findEnvironment(ports, request)
  const launchRequest = { ...request, reason: null, timeoutMs: null, asked: null }
  return launch(
    ports,
    stage,
    id,
    {
      kind: 'down',
      warnings: [],
      choose(state) {
        const serving = servingGeneration(state)
        if (serving === null)
          throw new BasaltError('environment.unknown', {
            message: `nothing runs in ${id}`,
            remedy: 'Run `basalt status` to see all environments.',
          })
        return { to: emptyGeneration(serving, state.lastNumber + 1), parent: serving.number }
      },
    },
    launchRequest,
    op,
  )
}
