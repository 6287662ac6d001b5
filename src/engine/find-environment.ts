import type { LoadedManifest } from '../config/load-manifest.ts'
import type { Binding } from '../core/generation.ts'
import { type EnvironmentId, environmentId, environmentNameOf, systemOf } from '../core/ids.ts'
import type { EnvironmentSpec } from '../core/system.ts'
import { BasaltError } from '../errors.ts'
import type { Target } from '../targets/target.ts'
import type { EnginePorts } from './ports.ts'

export interface EnvironmentWish {
  readonly file: string | null
  readonly system: string | null
  readonly environment: string | null
}

export interface FoundEnvironment {
  readonly id: EnvironmentId
  /** What the manifest says of it; null when the request named no file. */
  readonly spec: EnvironmentSpec | null
  readonly manifest: LoadedManifest | null
}

/** Which environment a request means: named, or the only one, or the manifest's first. */
export async function findEnvironment(ports: EnginePorts, wish: EnvironmentWish): Promise<FoundEnvironment> {
  if (wish.file === null) return { id: knownEnvironment(ports, wish), spec: null, manifest: null }
  const manifest = await ports.loadManifest(wish.file)
  const { name: system, environments } = manifest.system
  const names = Object.keys(environments)
  const name = wish.environment ?? names[0]
  const spec = name === undefined ? undefined : environments[name]
  if (name !== undefined && spec !== undefined) return { id: environmentId(system, name), spec, manifest }
  throw new BasaltError('environment.unknown', {
    message: `${system} declares no environment ${name ?? ''}`,
    remedy: `Declared in ${wish.file}: ${names.join(', ')}.`,
  })
}

function knownEnvironment({ journal }: EnginePorts, { system, environment }: EnvironmentWish): EnvironmentId {
  const ids = knownEnvironments(journal.view.environments.keys(), system, environment)
  const [only, second] = ids
  if (only !== undefined && second === undefined) return only
  if (only === undefined)
    throw new BasaltError('environment.unknown', {
      message: unknownEnvironment(system, environment),
      remedy:
        'Nothing was deployed there yet; do so with `basalt deploy` in the folder of basalt.yaml. `basalt status --all` shows all.',
    })
  throw new BasaltError('environment.ambiguous', {
    message: `${ids.length} environments fit: ${ids.join(', ')}`,
    remedy: 'Name one with -e, or run the command in the folder of basalt.yaml.',
  })
}

function unknownEnvironment(system: string | null, environment: string | null): string {
  if (environment === null)
    return system === null
      ? 'this server knows no environment'
      : `this server knows no environment of the system ${system}`
  return `this server knows no environment ${system === null ? environment : `${system}/${environment}`}`
}

/** Sorted ids that fit; null fits all. `environment` may be `staging` or `shop/staging`. */
export const knownEnvironments = (
  ids: Iterable<EnvironmentId>,
  system: string | null,
  environment: string | null,
): readonly EnvironmentId[] =>
  [...ids]
    .filter((id) => system === null || systemOf(id) === system)
    .filter((id) => environment === null || environment === id || environmentNameOf(id) === environment)
    .toSorted()

/** The environment's side of a generation. The epoch goes on from the generation before. */
export const bindingOf = (spec: EnvironmentSpec, epoch: number): Binding => ({
  target: spec.target,
  ingressPort: spec.ingressPort,
  services: spec.services,
  warmMs: spec.warmMs,
  watchMs: spec.watchMs,
  epoch,
})

export function targetNamed(ports: EnginePorts, name: string): Target {
  const target = ports.targets.get(name)
  if (target !== undefined) return target
  throw new BasaltError('request.invalid', {
    message: `this server has no target ${name}`,
    remedy: `It has: ${[...ports.targets.keys()].join(', ')}.`,
  })
}
