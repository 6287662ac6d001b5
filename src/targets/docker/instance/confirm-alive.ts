import { finish } from '../../host/instance/follow-health.ts'
import { isAlive } from '../../host/instance/instance.ts'
import type { DockerContext } from '../docker-context.ts'
import type { ContainerExit } from '../engine/docker-engine.ts'
import type { DockerInstance } from './docker-instance.ts'

/**
 * Asks the Engine, once for all of them, whether they still run. It is asked also where nothing is known to run: an Engine
 * that does not answer must not be taken for one that has nothing.
 */
export async function confirmAlive(
  context: DockerContext,
  instances: readonly DockerInstance[],
): Promise<void> {
  const asked = instances.filter((instance) => instance.started && isAlive(instance))
  const containers = await context.engine.containers(context.homeLabel)
  const states = new Map(containers.map(({ id, state }) => [id, state]))
  await Promise.all(
    asked.map(async (instance) => {
      const state = states.get(instance.container ?? '')
      if (state !== undefined && !endedStates.has(state)) return
      await noteEnd(context, instance)
    }),
  )
}

/** `created` is what comes before `running`: it is being started. */
const endedStates = new Set(['exited', 'dead', 'removing'])

/** What the Engine knows of an end: nothing when somebody removed the container. */
export async function noteEnd(context: DockerContext, instance: DockerInstance): Promise<void> {
  const state = instance.container === null ? null : await context.engine.inspect(instance.container)
  if (state?.running === true) return
  const end =
    state === null
      ? { exitCode: null, at: context.now() }
      : { exitCode: state.exitCode, at: state.finishedAt || context.now() }
  finish(context, instance, end)
}

export function noteExit(context: DockerContext, { container, exitCode }: ContainerExit): void {
  const instance = [...context.instances.values()].find((known) => known.container === container)
  if (instance !== undefined) finish(context, instance, { exitCode, at: context.now() })
}
