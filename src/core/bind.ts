import { invariant } from '../errors.ts'
import type { Binding, Generation, GroupSpec } from './generation.ts'
import { identify } from './identity.ts'
import type { EnvironmentId, GroupId } from './ids.ts'
import type { Release, ReleaseName, ReleaseService } from './release.ts'
import type { RouteEntry } from './route-table.ts'
import type { Expose, RunSpec, ServiceOverride } from './system.ts'

export interface BindRequest {
  readonly environment: EnvironmentId
  readonly number: number
  readonly name: ReleaseName
  readonly release: Release
  readonly binding: Binding
}

/** Release + Binding = Generation. Pure: the same input gives the same ids. */
export function bind({ environment, number, name, release, binding }: BindRequest): Generation {
  const bound = Object.fromEntries(
    Object.entries(release.services).map(([service, spec]) => [
      service,
      override(spec, binding.services[service]),
    ]),
  )
  const identities = identify(environment, binding.epoch, bound)
  const groups = Object.entries(bound)
    .map(([service, { image, run, replicas }]): GroupSpec => {
      const identity = identities.get(service)
      invariant(identity !== undefined, `service ${service} has no identity`)
      return { ...identity, environment, service, image, run, replicas }
    })
    .toSorted((a, b) => (a.service < b.service ? -1 : 1))
  const entries = groups.flatMap(({ id, service }) =>
    (bound[service]?.expose ?? []).map((expose) => routeEntry(expose, id, binding.ingressPort)),
  )
  return {
    environment,
    number,
    release: name,
    binding,
    groups,
    routes: { environment, generation: number, entries },
  }
}

/** The generation of an environment that is taken down: nothing runs, nothing is routed. */
export const emptyGeneration = (last: Generation, number: number): Generation => ({
  ...last,
  number,
  groups: [],
  routes: { environment: last.environment, generation: null, entries: [] },
})

/** The same groups again under a new number: what a rollback goes to. */
export const repeatGeneration = (earlier: Generation, number: number): Generation => ({
  ...earlier,
  number,
  routes: { ...earlier.routes, generation: number },
})

function override(service: ReleaseService, change: ServiceOverride = {}): ReleaseService {
  const run: RunSpec = {
    ...service.run,
    env: { ...service.run.env, ...change.env },
    limits: { ...service.run.limits, ...change.limits },
  }
  return {
    ...service,
    run,
    replicas: change.replicas ?? service.replicas,
    expose: change.expose ?? service.expose,
  }
}

const routeEntry = (expose: Expose, group: GroupId, ingressPort: number): RouteEntry =>
  expose.kind === 'tcp'
    ? { kind: 'tcp', entryPort: expose.entryPort, group, port: expose.port }
    : {
        kind: 'http',
        entryPort: expose.entryPort ?? ingressPort,
        host: expose.host,
        path: expose.path,
        group,
        port: expose.port,
      }
