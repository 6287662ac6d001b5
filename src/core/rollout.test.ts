import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  generationOf,
  services,
  servingObservation,
  staging,
  warmObservation,
} from './arbitrary-generation.fixture.ts'
import type { Deployment } from './deployment.ts'
import type { Generation, GroupSpec } from './generation.ts'
import type { DeploymentId, GroupId } from './ids.ts'
import type { Observation } from './observation.ts'
import { type Action, type Age, decide } from './rollout.ts'

const noTime: Age = { deploymentMs: 0, phaseMs: 0 }
const nobody: ReadonlySet<GroupId> = new Set()

const aDeployment = (
  from: Generation | null,
  to: Generation,
  change: Partial<Deployment> = {},
): Deployment => ({
  deployment: 'd-1' as DeploymentId,
  kind: 'deploy',
  environment: staging,
  actor: 'ada',
  reason: null,
  from: from?.number ?? null,
  to,
  parent: null,
  timeoutMs: null,
  requests: { total: 0, failed: 0 },
  startedAt: 0,
  fromGeneration: from,
  phase: 'starting',
  phaseSince: 0,
  abortRequested: false,
  failure: null,
  started: [],
  stopped: [],
  switchMs: null,
  ...change,
})

const drawn = (name: string, change: object = {}) => ({
  [name]: {
    version: 1,
    needs: [],
    replicas: 1,
    stateful: false,
    volume: null,
    isExposed: false,
    level: 'info',
    ...change,
  },
})
const system = (...parts: readonly object[]) =>
  Object.assign({}, ...parts) as Parameters<typeof generationOf>[0]

const groupOf = (generation: Generation, service: string): GroupSpec => {
  const group = generation.groups.find((one) => one.service === service)
  if (group === undefined) throw new Error(`no ${service}`)
  return group
}

const together = (...observations: readonly Observation[]): Observation => ({
  environment: staging,
  routes: observations[0]?.routes ?? null,
  groups: observations.flatMap(({ groups }) => groups),
})

const named = (action: Action): readonly string[] =>
  action.kind === 'start'
    ? action.groups.map(({ service }) => `start ${service}`)
    : action.kind === 'stop'
      ? action.groups.map(({ service }) => `stop ${service}`)
      : [action.kind]

/** A machine on which every step succeeds at once. */
function perform(action: Action, deployment: Deployment, seen: Observation): [Deployment, Observation] {
  switch (action.kind) {
    case 'prepare':
      return [{ ...deployment, phase: 'starting' }, seen]
    case 'enter':
      return [{ ...deployment, phase: action.phase }, seen]
    case 'start': {
      const ids = new Set(action.groups.map(({ id }) => id))
      const begun = servingObservation({ ...deployment.to, groups: action.groups })
      const others = { ...seen, groups: seen.groups.filter(({ id }) => !ids.has(id)) }
      return [{ ...deployment, started: [...deployment.started, ...ids] }, together(others, begun)]
    }
    case 'stop': {
      const gone = new Set(action.groups.filter(({ keep }) => keep === 0).map(({ group }) => group))
      const keeps = new Map(action.groups.map(({ group, keep }) => [group, keep]))
      const groups = seen.groups
        .filter(({ id }) => !gone.has(id))
        .map((group) => ({ ...group, instances: group.instances.slice(0, keeps.get(group.id) ?? Infinity) }))
      return [
        { ...deployment, stopped: [...deployment.stopped, ...gone] },
        { ...seen, groups },
      ]
    }
    case 'route':
      return [deployment, { ...seen, routes: action.table }]
    case 'fail':
      return [{ ...deployment, phase: 'reverting', failure: action.error }, seen]
    case 'wait':
    case 'end':
      return [deployment, seen]
  }
}

describe('a rollout between any two generations', () => {
  const three = fc.record({ warm: fc.option(services), from: fc.option(services), to: services })

  it('ends in the second one, and never has two writers on one volume', () => {
    fc.assert(
      fc.property(three, ({ warm, from, to }) => {
        const serving = from === null ? null : generationOf(from, 2)
        const goal = generationOf(to, 3)
        let seen = warmObservation(serving, warm === null ? null : generationOf(warm, 1))
        let deployment = aDeployment(serving, goal, { phase: 'preparing' })
        let action: Action | null = null
        for (let step = 0; step < 100 && action?.kind !== 'end'; step++) {
          action = decide(deployment, seen, noTime, nobody)
          expect(action.kind).not.toBe('wait')
          ;[deployment, seen] = perform(action, deployment, seen)
          const volumes = seen.groups.flatMap((group) => group.volumes)
          expect(new Set(volumes).size).toBe(volumes.length)
        }
        expect(action).toEqual({ kind: 'end', outcome: 'succeeded' })
        expect(seen.routes?.entries ?? []).toEqual(goal.routes.entries)
        expect(seen.groups.map(({ id }) => id).toSorted()).toEqual(goal.groups.map(({ id }) => id).toSorted())
      }),
      { numRuns: 300 },
    )
  })
})

describe('a stateful predecessor', () => {
  const database = (version: number) =>
    drawn('db', { version, stateful: true, volume: 'data', needs: ['config'] })
  const from = generationOf(system(drawn('config'), database(1)), 1)

  it('goes on until all that its successor needs is healthy', () => {
    const to = generationOf(system(drawn('config', { version: 2 }), database(2)), 2)
    const deployment = aDeployment(from, to)
    const before = servingObservation(from)
    expect(named(decide(deployment, before, noTime, nobody))).toEqual(['start config'])
    expect(named(decide(deployment, before, noTime, new Set([groupOf(to, 'config').id])))).toEqual(['wait'])
    const started = together(before, servingObservation({ ...to, groups: [groupOf(to, 'config')] }))
    expect(named(decide(deployment, started, noTime, nobody))).toEqual(['stop db'])
  })

  it('is found by its volume under another name', () => {
    const database = drawn('database', { stateful: true, volume: 'data' })
    const to = generationOf(system(drawn('config'), database), 2)
    const action = decide(aDeployment(from, to), servingObservation(from), noTime, nobody)
    expect(action).toEqual({
      kind: 'stop',
      groups: [{ group: groupOf(from, 'db').id, service: 'db', keep: 0, successor: groupOf(to, 'database') }],
    })
  })

  it('is found in a generation before the last', () => {
    const between = generationOf(system(drawn('config')), 2)
    const to = generationOf(system(drawn('config'), database(2)), 3)
    const warm = warmObservation(between, from)
    const action = decide(aDeployment(between, to), warm, noTime, nobody)
    expect(action).toEqual({
      kind: 'stop',
      groups: [{ group: groupOf(from, 'db').id, service: 'db', keep: 0 }],
    })
  })

  it('hands its name to the group of the same name, whoever takes its volume', () => {
    const to = generationOf(
      system(drawn('app', { stateful: true, volume: 'data' }), drawn('db', { version: 2, stateful: true })),
      2,
    )
    const action = decide(aDeployment(from, to), servingObservation(from), noTime, nobody)
    expect(action).toMatchObject({ kind: 'stop', groups: [{ successor: { service: 'db' } }] })
  })
})

describe('going back', () => {
  const from = generationOf(system(drawn('web', { isExposed: true }), drawn('work')), 1)
  const to = generationOf(system(drawn('web', { version: 2, isExposed: true }), drawn('work')), 2)
  const dead = { ...servingObservation(from), groups: servingObservation({ ...from, groups: [] }).groups }

  it('does not switch to a group that cannot answer', () => {
    const switched = together(servingObservation(to), dead)
    const reverting = aDeployment(from, to, { phase: 'reverting', started: [groupOf(to, 'web').id] })
    expect(named(decide(reverting, switched, noTime, nobody))).toEqual(['start web'])
    const restarted = together(switched, servingObservation({ ...from, groups: [groupOf(from, 'web')] }))
    expect(named(decide(reverting, restarted, noTime, nobody))).toEqual(['route'])
  })

  it('does not wait for a group that it never left', () => {
    const reverting = aDeployment(from, to, { phase: 'reverting' })
    expect(decide(reverting, dead, noTime, nobody)).toEqual({ kind: 'end', outcome: 'failed' })
  })

  it('leaves what was warm before', () => {
    const warm = warmObservation(from, to)
    const reverting = aDeployment(from, to, { kind: 'rollback', phase: 'reverting' })
    expect(decide(reverting, warm, noTime, nobody)).toEqual({ kind: 'end', outcome: 'failed' })
    const started = { ...reverting, started: [groupOf(to, 'web').id] }
    expect(named(decide(started, warm, noTime, nobody))).toEqual(['stop web'])
  })
})

describe('the watch', () => {
  it('lasts as long as was asked for', () => {
    const generation = generationOf(system(drawn('web', { isExposed: true })), 1)
    const to = { ...generation, binding: { ...generation.binding, watchMs: 1000 } }
    const watching = aDeployment(null, to, { phase: 'watching', started: to.groups.map(({ id }) => id) })
    const at = (phaseMs: number) =>
      decide(watching, servingObservation(to), { deploymentMs: phaseMs, phaseMs }, nobody)
    expect(at(400)).toEqual({ kind: 'wait', forMs: 600 })
    expect(at(1000)).toEqual({ kind: 'enter', phase: 'draining' })
  })
})
