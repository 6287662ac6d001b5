import type { DeploymentResult } from '../engine/engine.ts'
import { BasaltError, exitCodes } from '../errors.ts'
import { fromWireError, toWireError } from '../server/wire-error.ts'
import type { RemoteEngine } from './client/remote-engine.ts'
import type { Context } from './context.ts'
import { renderDeployment } from './render/deployment.ts'
import { renderError } from './render/error.ts'
import { openProgress } from './render/open-progress.ts'

/**
 * Shows a deployment live until its outcome, and prints that. Ctrl-C ends the watching, not the deployment.
 * Resolves with the exit code.
 */
export async function followDeployment(
  engine: RemoteEngine,
  deployment: string,
  context: Context,
  title = `deployment ${deployment}`,
): Promise<number> {
  const view = openProgress(context.output, title)
  let result: DeploymentResult
  try {
    for await (const event of engine.follow(deployment)) view.show(event)
    result = await engine.outcome(deployment)
  } catch (error) {
    throw whileFollowing(error, deployment, context)
  } finally {
    view.stop()
  }
  await context.output.result(result, () => renderDeployment(result, context.output.paint))
  return reportOutcome(result, context)
}

/** The error that ended a deployment, below its outcome; documents carry it already. */
function reportOutcome(result: DeploymentResult, context: Context): number {
  if (result.outcome === 'succeeded' || result.outcome === 'unchanged') return 0
  const { output } = context
  if (result.error === null) return exitCodes.user
  const error = fromWireError(result.error)
  output.streams.stderr.write(`${renderError(toWireError(error), output.paintNote)}\n`)
  return exitCodes[error.kind]
}

function whileFollowing(error: unknown, deployment: string, context: Context): unknown {
  const ways = `Follow it: basalt follow ${deployment}\nAbort it: basalt abort ${deployment}`
  if (context.interrupt.aborted)
    return new BasaltError('request.interrupted', {
      message: `detached from deployment ${deployment}, which goes on`,
      remedy: ways,
      details: { deployment },
    })
  const lost =
    error instanceof BasaltError &&
    (error.code === 'server.unreachable' || error.code === 'request.interrupted')
  if (!lost) return error
  return new BasaltError('server.unreachable', {
    message: `the server ended while deployment ${deployment} was running; it is finished or reverted by the next one`,
    remedy: `Follow it there: basalt follow ${deployment}`,
    details: { deployment },
    cause: error,
  })
}
