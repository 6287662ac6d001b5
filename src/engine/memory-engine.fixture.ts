import { digestOf } from '../core/digest.ts'
import type { DeploymentId } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { Release } from '../core/release.ts'
import type { EnvironmentSpec, RunSpec, ServiceSpec, System } from '../core/system.ts'
import { BasaltError } from '../errors.ts'
import { createMemoryStore } from '../store/memory/memory-store.ts'
import type { Store } from '../store/store.ts'
import { createMemoryTarget, type MemoryTargetOptions } from '../targets/memory/memory-target.ts'
import { createMemoryWorld, type MemoryWorld } from '../targets/memory/memory-world.ts'
import { createEngine, type RunningEngine } from './create-engine.ts'
import type { DeployRequest, RollbackRequest } from './engine.ts'
import { openJournal } from './journal.ts'
import type { ReleaseShelf } from './ports.ts'

/** What outlives a server in these tests: the ledger, the pretended machine, the release documents, the files. */
export interface MemoryMachine {
  readonly store: Store
  readonly world: MemoryWorld
  /** Another pretended machine: the target `elsewhere`, which shares no router with `memory`. */
  readonly elsewhere: MemoryWorld
  readonly shelf: ReleaseShelf
  /** basalt.yaml, by path. */
  readonly manifests: Map<string, System>
}

export function createMemoryMachine(): MemoryMachine {
  return {
    store: createMemoryStore({ now: Date.now }),
    world: createMemoryWorld(),
    elsewhere: createMemoryWorld(),
    shelf: createMemoryShelf(),
    manifests: new Map(),
  }
}

export interface MemoryFaults extends Pick<MemoryTargetOptions, 'before' | 'after'> {
  /** Runs before the target is looked at. */
  readonly beforeObserve?: () => Promise<void>
  readonly log?: (message: string) => void
}

export async function startMemoryEngine(
  machine: MemoryMachine,
  { beforeObserve, log = () => {}, ...faults }: MemoryFaults = {},
): Promise<RunningEngine & { readonly target: ReturnType<typeof createMemoryTarget> }> {
  const { store, world, elsewhere, shelf, manifests } = machine
  const memory = createMemoryTarget({ world, now: Date.now, ...faults })
  const observe: typeof memory.observe = async (environment, op) => {
    await beforeObserve?.()
    return memory.observe(environment, op)
  }
  const journal = await openJournal(store, anOp())
  let deployments = journal.view.attempts.size
  const engine = createEngine({
    journal,
    targets: new Map([
      ['memory', { ...memory, observe }],
      [
        'elsewhere',
        { ...createMemoryTarget({ world: elsewhere, now: Date.now, ...faults }), name: 'elsewhere' },
      ],
    ]),
    releases: shelf,
    importImages: async () => [],
    registries: {
      pull: async () => noRegistry(),
      pullRelease: async () => noRegistry(),
      push: async () => noRegistry(),
    },
    now: Date.now,
    newDeploymentId: () => `d-${String(++deployments).padStart(4, '0')}` as DeploymentId,
    log,
    verifyLedger: (from, op) => store.verify(op, from),
    async loadManifest(file) {
      const system = manifests.get(file)
      if (system === undefined) throw new BasaltError('manifest.missing', { message: `no ${file}` })
      return { system, file, locate: () => null }
    },
    builder: {
      async build({ system }) {
        const images = Object.fromEntries(
          Object.entries(system.services).map(([name, { source }]) => [name, digestOf(source)]),
        )
        const results = Object.entries(images).map(([service, image]) => ({
          service,
          image,
          cached: true,
          sizeBytes: 1,
          durationMs: 1,
          made: null,
          output: null,
        }))
        return {
          images,
          results,
          source: { revision: null, dirty: false },
          builders: {},
          lock: null,
          pins: [],
        }
      },
    },
  })
  return { ...engine, target: memory }
}

function noRegistry(): never {
  throw new BasaltError('registry.unreachable', { message: 'there is no network in memory' })
}

function createMemoryShelf(): ReleaseShelf {
  const documents = new Map<string, Release>()
  return {
    async put(release) {
      const digest = digestOf(release)
      documents.set(digest, release)
      return { releaseDigest: digest, artifact: digest }
    },
    async get(digest) {
      const release = documents.get(digest)
      if (release === undefined) throw new BasaltError('release.unknown', { message: `no ${digest}` })
      return release
    },
    async *exportArchive() {},
    importArchive: () =>
      Promise.reject(new BasaltError('release.archive-invalid', { message: 'not in memory' })),
  }
}

export const anOp = (): Op => ({ signal: AbortSignal.timeout(30_000) })

/** A service that answers at port 80 and is told apart by `version`. */
export function aService(
  version: string,
  change: Partial<Omit<ServiceSpec, 'run'>> & { run?: Partial<RunSpec> } = {},
): ServiceSpec {
  const { run, ...rest } = change
  return {
    source: { kind: 'image', digest: digestOf(version) },
    expose: [],
    replicas: 1,
    labels: {},
    ...rest,
    run: {
      command: null,
      env: {},
      ports: [{ port: 80, protocol: 'http' }],
      health: { kind: 'http', path: '/up', port: 80, intervalMs: 10, timeoutMs: 10, startMs: 50, retries: 1 },
      needs: [],
      writable: [],
      volumes: [],
      stateful: false,
      limits: { memoryBytes: null, cpus: null, pids: 64 },
      user: null,
      capabilities: [],
      stop: { signal: 'SIGTERM', graceMs: 10 },
      ...run,
    },
  }
}

export function aSystem(
  services: Readonly<Record<string, ServiceSpec>>,
  environment: Partial<EnvironmentSpec> = {},
): System {
  const staging: EnvironmentSpec = {
    target: 'memory',
    ingressPort: 8080,
    services: {},
    warmMs: 600_000,
    watchMs: 0,
    ...environment,
  }
  return { name: 'shop', services, environments: { staging } }
}

export const aDeploy = (change: Partial<DeployRequest> = {}): DeployRequest => ({
  file: '/shop/basalt.yaml',
  system: null,
  environment: null,
  release: null,
  all: false,
  wait: false,
  timeoutMs: null,
  reason: null,
  actor: { name: 'ada' },
  ...change,
})

export const aRollback = (change: Partial<RollbackRequest> = {}): RollbackRequest => ({
  file: '/shop/basalt.yaml',
  system: null,
  environment: null,
  to: null,
  wait: false,
  timeoutMs: null,
  reason: null,
  actor: { name: 'ada' },
  ...change,
})
