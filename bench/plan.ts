import { type BindRequest, bind } from '../src/core/bind.ts'
import { digestOf } from '../src/core/digest.ts'
import type { Generation } from '../src/core/generation.ts'
import { environmentId, instanceId } from '../src/core/ids.ts'
import type { Observation } from '../src/core/observation.ts'
import { plan } from '../src/core/plan.ts'
import type { Release } from '../src/core/release.ts'
import { alone, type BenchOptions, type BenchRow, figureAtMost, median } from './row.ts'

const environment = environmentId('big', 'production')

/** Services in layers of ten, each needing two of the layer before it; every `changed`-th one is of a new version. */
function request(size: number, number: number, changed: number): BindRequest {
  const name = (index: number): string => `s${index}`
  const services = Array.from({ length: size }, (_, index) => {
    const needs = index < 10 ? [] : [name(index - 10), name(index - 1 - (index % 10))]
    const version = index % changed === 0 ? number : 0
    const run = {
      command: null,
      env: { SERVICE: name(index), LEVEL: 'info' },
      ports: [{ port: 80, protocol: 'http' as const }],
      health: {
        kind: 'http' as const,
        path: '/up',
        port: 80,
        intervalMs: 2000,
        timeoutMs: 2000,
        startMs: 30_000,
        retries: 3,
      },
      needs: [...new Set(needs)].toSorted(),
      writable: [],
      volumes: [],
      stateful: false,
      limits: { memoryBytes: null, cpus: null, pids: 512 },
      user: null,
      capabilities: [],
      stop: { signal: 'SIGTERM', graceMs: 10_000 },
    }
    const expose = [{ kind: 'http' as const, host: '*', path: `/${name(index)}`, port: 80, entryPort: null }]
    return [name(index), { image: digestOf(`${index} ${version}`), run, expose, replicas: 10 }] as const
  })
  const release: Release = {
    schema: 'basalt.release/v1',
    system: 'big',
    services: Object.fromEntries(services),
    source: { revision: null, dirty: false },
    builders: {},
    lock: null,
  }
  const binding = { target: 'local', ingressPort: 8080, services: {}, warmMs: 0, watchMs: 0, epoch: 0 }
  const named = { name: `big@${number}`, version: number, digest: digestOf(number) }
  return { environment, number, name: named, release, binding }
}

const observation = (serving: Generation): Observation => ({
  environment,
  routes: serving.routes,
  groups: serving.groups.map(({ id, service, replicas }) => ({
    id,
    service,
    volumes: [],
    instances: Array.from({ length: replicas }, (_, index) => ({
      id: instanceId(id, index),
      state: 'healthy' as const,
      exitCode: null,
      startedAt: 0,
      problem: null,
    })),
  })),
})

/** Binding the next generation (every identity is computed anew) and planning the way to it, both pure. */
export async function benchPlan({ rounds }: BenchOptions): Promise<readonly BenchRow[]> {
  return [125, 250, 500, 1000, 2000].map((size) => {
    const from = bind(request(size, 1, 7))
    const seen = observation(from)
    const next = request(size, 2, 7)
    const times = Array.from({ length: rounds + 1 }, () => {
      const since = performance.now()
      plan(from, bind(next), seen)
      return performance.now() - since
    })
    const name = `bind and plan ${size} services, ${size * 10} instances`
    return alone(name, 'ms', median(times.slice(1)), size === 1000 ? figureAtMost(100) : null)
  })
}
