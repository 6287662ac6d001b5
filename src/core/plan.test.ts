import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  generationOf,
  services,
  servingObservation,
  warmObservation,
} from './arbitrary-generation.fixture.ts'
import type { Generation } from './generation.ts'
import type { GroupId } from './ids.ts'
import { type Plan, plan, type Step } from './plan.ts'

/** Healthy instances by group, and what is routed. */
interface World {
  readonly running: Map<GroupId, number>
  routes: Generation['routes'] | null
}

function apply(world: World, step: Step, to: Generation): void {
  if (step.kind === 'start')
    world.running.set(step.group, Math.max(step.replicas, world.running.get(step.group) ?? 0))
  if (step.kind === 'route') world.routes = to.routes
  if (step.kind === 'stop' && step.keep > 0) world.running.set(step.group, step.keep)
  if (step.kind === 'stop' && step.keep === 0) world.running.delete(step.group)
}

const worldOf = (generation: Generation | null, observation = servingObservation(generation)): World => ({
  running: new Map(observation.groups.map(({ id, instances }) => [id, instances.length])),
  routes: generation?.routes ?? null,
})

const two = fc.record({
  from: fc.option(services),
  warm: fc.option(services),
  to: services,
  epoch: fc.constantFrom(0, 2),
})

type Drawn = typeof two extends fc.Arbitrary<infer Value> ? Value : never

function seen({ from, warm }: Pick<Drawn, 'from' | 'warm'>) {
  const serving = from === null ? null : generationOf(from, 2)
  return { serving, observation: warmObservation(serving, warm === null ? null : generationOf(warm, 1)) }
}

function planned(drawn: Drawn): Plan {
  const { serving, observation } = seen(drawn)
  return plan(serving, generationOf(drawn.to, 3, drawn.epoch), observation)
}

describe('a plan between any two generations', () => {
  it('ends in the second one exactly', () => {
    fc.assert(
      fc.property(two, (drawn) => {
        const { from, to, steps } = planned(drawn)
        const world = worldOf(from, seen(drawn).observation)
        for (const step of steps) apply(world, step, to)
        expect(world.running).toEqual(worldOf(to).running)
        expect(world.routes?.entries ?? []).toEqual(to.routes.entries)
      }),
      { numRuns: 500 },
    )
  })

  it('never routes to a group without instances, but for stateful ones, which it names', () => {
    fc.assert(
      fc.property(two, (drawn) => {
        const { from, to, steps, pauses } = planned(drawn)
        const world = worldOf(from, seen(drawn).observation)
        for (const step of steps) {
          apply(world, step, to)
          for (const { group } of world.routes?.entries ?? []) {
            const isPaused = pauses.some((service) => group.startsWith(`${service}-`))
            expect(isPaused || (world.running.get(group) ?? 0) > 0).toBe(true)
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  it('never lets two groups write one volume', () => {
    fc.assert(
      fc.property(two, (drawn) => {
        const { from, to, steps } = planned(drawn)
        const world = worldOf(from, seen(drawn).observation)
        const warm = drawn.warm === null ? [] : generationOf(drawn.warm, 1).groups
        const specs = new Map(
          [...warm, ...(from?.groups ?? []), ...to.groups].map((group) => [group.id, group]),
        )
        for (const step of steps) {
          apply(world, step, to)
          const volumes = [...world.running.keys()].flatMap(
            (id) => specs.get(id)?.run.volumes.map(({ name }) => name) ?? [],
          )
          expect(new Set(volumes).size).toBe(volumes.length)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('knows start, route, drain and stop only', () => {
    fc.assert(
      fc.property(two, (drawn) => {
        for (const { kind } of planned(drawn).steps)
          expect(['start', 'route', 'drain', 'stop']).toContain(kind)
      }),
    )
  })

  it('starts nothing before what it needs, outside of cycles', () => {
    fc.assert(
      fc.property(two, (drawn) => {
        const { to, steps } = planned(drawn)
        const order = new Map(
          steps.flatMap((step, index) => (step.kind === 'start' ? [[step.group, index] as const] : [])),
        )
        const reaches = (start: GroupId, goal: GroupId): boolean => {
          const seen = new Set<GroupId>()
          const open = [start]
          for (let id = open.pop(); id !== undefined; id = open.pop()) {
            if (seen.has(id)) continue
            seen.add(id)
            open.push(...Object.values(to.groups.find((group) => group.id === id)?.needs ?? {}))
          }
          return seen.has(goal)
        }
        const tooEarly = to.groups.flatMap((group) =>
          Object.values(group.needs)
            .filter((need) => order.has(need) && order.has(group.id) && !reaches(need, group.id))
            .filter((need) => (order.get(need) ?? 0) > (order.get(group.id) ?? 0)),
        )
        expect(tooEarly).toEqual([])
      }),
    )
  })

  it('is the same for the same input, in whatever order it was written', () => {
    fc.assert(
      fc.property(two, (drawn) => {
        const turned = Object.fromEntries(Object.entries(drawn.to).toReversed())
        expect(JSON.stringify(planned({ ...drawn, to: turned }))).toBe(JSON.stringify(planned(drawn)))
      }),
    )
  })

  it('is empty between a generation and itself', () => {
    fc.assert(
      fc.property(services, (drawn) => {
        expect(planned({ from: drawn, warm: null, to: drawn, epoch: 0 }).steps).toEqual([])
      }),
    )
  })
})
