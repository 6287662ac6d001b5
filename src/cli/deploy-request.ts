import type { DeployRequest } from '../engine/engine.ts'
import type { Context } from './context.ts'
import { nothingToDeploy, scopeOf, systemOfRelease } from './project.ts'

export interface DeployFlags {
  readonly file: string | null
  readonly env: string | null
  readonly release: string | null
  readonly all: boolean
  readonly wait?: boolean | null
  readonly timeout?: number | null
  readonly reason?: string | null
}

/** What the flags of plan and deploy ask of the engine. */
export async function deployRequest(
  context: Context,
  flags: DeployFlags,
): Promise<Omit<DeployRequest, 'actor'>> {
  const named = systemOfRelease(flags.release)
  const scope = await scopeOf(context.folder, flags, named !== null)
  if (scope.file === null && flags.release === null) throw nothingToDeploy(context.folder)
  // A release of another system than the one whose file lies here.
  const foreign = named !== null && scope.system !== null && named !== scope.system
  return {
    file: foreign ? null : scope.file,
    system: foreign ? named : (scope.system ?? named),
    environment: scope.environment,
    release: flags.release,
    all: flags.all,
    wait: flags.wait === true,
    timeoutMs: flags.timeout ?? null,
    reason: flags.reason ?? null,
  }
}
