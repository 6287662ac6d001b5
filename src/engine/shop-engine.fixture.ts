import { type EnvironmentId, environmentId, type GroupId } from '../core/ids.ts'
import type { ObservedInstance } from '../core/observation.ts'
import type { System } from '../core/system.ts'
import { BasaltError } from '../errors.ts'
import type { DeploymentResult, DeploymentStarted, DeployRequest, EnvironmentStatus } from './engine.ts'
import {
  aDeploy,
  anOp,
  aService,
  aSystem,
  type MemoryFaults,
  type MemoryMachine,
  startMemoryEngine,
} from './memory-engine.fixture.ts'

export type TestEngine = Awaited<ReturnType<typeof startMemoryEngine>>

export const staging: EnvironmentId = environmentId('shop', 'staging')
const everywhere = [{ kind: 'http', host: '*', path: '/', port: 80, entryPort: null }] as const

/** web needs api needs cache; `versions` tells the releases apart. */
export const shop = (
  versions: { web?: string; api?: string; cache?: string } = {},
  environment = {},
): System =>
  aSystem(
    {
      web: aService(`web ${versions.web ?? 1}`, { expose: everywhere, run: { needs: ['api'] }, replicas: 2 }),
      api: aService(`api ${versions.api ?? 1}`, { run: { needs: ['cache'] } }),
      cache: aService(`cache ${versions.cache ?? 1}`, {
        run: { stateful: true, volumes: [{ name: 'data', path: '/data' }] },
      }),
    },
    environment,
  )

const engines: TestEngine[] = []
export async function start(machine: MemoryMachine, faults: MemoryFaults = {}): Promise<TestEngine> {
  const engine = await startMemoryEngine(machine, faults)
  engines.push(engine)
  return engine
}
export async function closeEngines(): Promise<void> {
  for (const engine of engines.splice(0)) await engine.close()
}

export async function finish(
  engine: TestEngine,
  started: Promise<DeploymentStarted>,
): Promise<DeploymentResult> {
  const { deployment } = await started
  if (deployment === null) throw new Error('there was nothing to do')
  return engine.outcome(deployment, anOp())
}

export async function deployShop(
  engine: TestEngine,
  machine: MemoryMachine,
  system: System,
  request: Partial<DeployRequest> = {},
): Promise<DeploymentResult> {
  machine.manifests.set('/shop/basalt.yaml', system)
  return finish(engine, engine.deploy(aDeploy(request), anOp()))
}

export const runningGroups = async (engine: TestEngine, environment = staging): Promise<readonly GroupId[]> =>
  (await engine.target.observe(environment, anOp())).groups.map(({ id }) => id)

export const servedBy = async (engine: TestEngine): Promise<readonly GroupId[]> =>
  ((await engine.target.observe(staging, anOp())).routes?.entries ?? []).map(({ group }) => group)

/** Of the group of that service that is there; of the newest where several are. */
export async function instancesOf(
  engine: TestEngine,
  service: string,
  environment = staging,
): Promise<readonly ObservedInstance[]> {
  const { groups } = await engine.target.observe(environment, anOp())
  return groups.findLast((group) => group.service === service)?.instances ?? []
}

export async function statusOf(
  engine: TestEngine,
  environment = staging,
): Promise<EnvironmentStatus | undefined> {
  const { environments } = await engine.status({ system: null, environment }, anOp())
  return environments[0]
}

export const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof BasaltError ? error.code : error),
  )
