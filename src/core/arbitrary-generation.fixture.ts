import fc from 'fast-check'
import { bind } from './bind.ts'
import { digestOf } from './digest.ts'
import type { Generation } from './generation.ts'
import { environmentId } from './ids.ts'
import type { Observation, ObservedInstance } from './observation.ts'
import type { Release, ReleaseService } from './release.ts'

export const staging = environmentId('shop', 'staging')
const names = ['api', 'cache', 'mail', 'web', 'work'] as const

/**
 * Any system of up to five services: cycles, stateful ones, exposed ones. A volume may belong to another service
 * in the next system, as after a renaming.
 */
const service = fc.record({
  version: fc.integer({ min: 1, max: 3 }),
  needs: fc.subarray([...names]),
  replicas: fc.integer({ min: 1, max: 3 }),
  stateful: fc.boolean(),
  volume: fc.constantFrom('data', 'files', null),
  isExposed: fc.boolean(),
  level: fc.constantFrom('info', 'debug'),
})

export const services = fc.dictionary(fc.constantFrom(...names), service, {
  minKeys: 1,
  noNullPrototype: true,
})

type DrawnServices = Readonly<
  Record<string, typeof service extends fc.Arbitrary<infer Drawn> ? Drawn : never>
>

/** Of one environment: `number` and `epoch` are the caller's. */
export function generationOf(drawn: DrawnServices, number: number, epoch = 0): Generation {
  const release: Release = {
    schema: 'basalt.release/v1',
    system: 'shop',
    services: Object.fromEntries(
      Object.entries(drawn).map(([name, spec]) => [name, releaseService(name, spec, drawn)]),
    ),
    source: { revision: null, dirty: false },
    builders: {},
    lock: null,
  }
  const digest = digestOf(release)
  const binding = { target: 'memory', ingressPort: 8080, services: {}, warmMs: 0, watchMs: 0, epoch }
  return bind({
    environment: staging,
    number,
    name: { name: `shop@${number}`, version: number, digest },
    release,
    binding,
  })
}

/** As in a manifest, a volume has one service: the first one by name that drew it. */
function volumeOf(name: string, spec: DrawnServices[string], all: DrawnServices): string | null {
  if (!spec.stateful || spec.volume === null) return null
  const owners = Object.keys(all).filter((other) => all[other]?.stateful && all[other].volume === spec.volume)
  return owners.toSorted()[0] === name ? spec.volume : null
}

function releaseService(name: string, spec: DrawnServices[string], all: DrawnServices): ReleaseService {
  const volume = volumeOf(name, spec, all)
  return {
    image: digestOf(`${name} ${spec.version}`),
    replicas: spec.stateful ? 1 : spec.replicas,
    expose: spec.isExposed ? [{ kind: 'http', host: '*', path: `/${name}`, port: 80, entryPort: null }] : [],
    run: {
      command: null,
      env: { LEVEL: spec.level },
      ports: [{ port: 80, protocol: 'http' }],
      health: { kind: 'tcp', port: 80, intervalMs: 1, timeoutMs: 1, startMs: 1, retries: 1 },
      needs: spec.needs.filter((need) => need !== name && all[need] !== undefined).toSorted(),
      writable: [],
      volumes: volume === null ? [] : [{ name: volume, path: '/data' }],
      stateful: spec.stateful,
      limits: { memoryBytes: null, cpus: null, pids: 1 },
      user: null,
      capabilities: [],
      stop: { signal: 'SIGTERM', graceMs: 1 },
    },
  }
}

/** A generation that serves as it should. */
export const servingObservation = (generation: Generation | null): Observation => ({
  environment: staging,
  routes: generation?.routes ?? null,
  groups: (generation?.groups ?? [])
    .map(({ id, service: name, replicas, run }) => ({
      id,
      service: name,
      volumes: run.volumes.map((volume) => volume.name),
      instances: Array.from(
        { length: replicas },
        (_, index): ObservedInstance => ({
          id: `${id}.${index}` as ObservedInstance['id'],
          state: 'healthy',
          exitCode: null,
          startedAt: 0,
          problem: null,
        }),
      ),
    }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
})

/** The same, while an earlier generation is still warm: but for what had to give way to a writer of its volume. */
export function warmObservation(serving: Generation | null, warm: Generation | null): Observation {
  const now = servingObservation(serving)
  const ids = new Set(now.groups.map(({ id }) => id))
  const written = new Set(now.groups.flatMap(({ volumes }) => volumes))
  const earlier = servingObservation(warm).groups.filter(
    ({ id, volumes }) => !ids.has(id) && !volumes.some((name) => written.has(name)),
  )
  return { ...now, groups: [...now.groups, ...earlier].toSorted((a, b) => (a.id < b.id ? -1 : 1)) }
}
