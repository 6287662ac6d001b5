import { servingGeneration, warmGeneration } from '../core/environment-state.ts'
import type { Generation } from '../core/generation.ts'
import type { EnvironmentId } from '../core/ids.ts'
import { servedNumber } from '../core/served-generation.ts'
import type { Target } from '../targets/target.ts'
import { targetNamed } from './find-environment.ts'
import type { EnginePorts } from './ports.ts'
import { spanTargets } from './span-targets.ts'

/**
 * What it means when a target cannot be looked at on which an environment runs something beside its main one: `refuse`
 * fails the look, as for a decision that could otherwise start a second writer; `overlook` takes it that nothing is there,
 * so that it keeps nobody from caring for the main one.
 */
export type Blindness = 'refuse' | 'overlook'

/**
 * The target of an environment whose generation `to` is, or shall be, on the target `name`. While another generation of
 * it may have something on other targets, because it moves or moved, that is seen and handled too.
 */
export function environmentTarget(
  ports: EnginePorts,
  environment: EnvironmentId,
  name: string,
  to: Generation | null,
  blindness: Blindness,
): Target {
  const main = targetNamed(ports, name)
  const state = ports.journal.environment(environment)
  const running = present([
    warmGeneration(state),
    servingGeneration(state),
    state.deployment?.fromGeneration,
    state.deployment?.to,
    to,
  ])
  const left = present([
    state.previous === null ? null : servedNumber(state.newest, state.previous)?.generation,
  ])
  const targetOf = ({ binding }: Generation): Target => targetNamed(ports, binding.target)
  const needed = new Set(blindness === 'refuse' ? running.map(targetOf) : []).add(main)
  // The later ones say where a group is that is in several.
  const generations = [...left, ...running]
  const others = [...new Set(generations.map(targetOf))].filter((target) => target !== main)
  if (others.length === 0) return main
  return spanTargets({
    main,
    others,
    places: new Map(
      generations.flatMap((generation) =>
        generation.groups.map(({ id }) => [id, targetOf(generation)] as const),
      ),
    ),
    overlooked: new Set(others.filter((target) => !needed.has(target))),
  })
}

const present = (generations: readonly (Generation | null | undefined)[]): readonly Generation[] =>
  generations.filter((generation) => generation !== null && generation !== undefined)

/** All targets that an environment was ever on, as far as it served there, and the one that it was to be on last. */
export function targetsEverOf(ports: EnginePorts, environment: EnvironmentId): readonly Target[] {
  const { newest, target } = ports.journal.environment(environment)
  const names = new Set(target === null ? [] : [target])
  for (let served = newest; served !== null; served = served.earlier)
    names.add(served.generation.binding.target)
  return [...names].map((name) => targetNamed(ports, name))
}
