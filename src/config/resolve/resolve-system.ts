import type { EnvironmentSpec, ServiceSpec, System } from '../../core/system.ts'
import { defaults } from '../defaults.ts'
import type { ProblemList } from '../problem-list.ts'
import type { Manifest } from '../schema/manifest-schema.ts'
import { checkEntries } from './check-entries.ts'
import { isBlock } from './is-block.ts'
import { type KnownService, resolveEnvironment } from './resolve-environment.ts'
import { volumeNames } from './resolve-mounts.ts'
import { resolveService } from './resolve-service.ts'
import { type Scope, scopeOf } from './scope.ts'

/**
 * The manifest with all defaults, and the checks that go beyond one value. `manifest` may hold parts that the
 * schema has refused: those are reported already and not read. Null when anything was reported.
 */
export function resolveSystem(manifest: Manifest, problems: ProblemList): System | null {
  const scope = scopeOf(problems)
  if (!isBlock(manifest)) return null
  const services = resolveServices(manifest, scope)
  const environments = resolveEnvironments(manifest, services, scope)
  if (!problems.isEmpty) return null
  const specs: Record<string, ServiceSpec> = {}
  for (const [name, { resolved }] of services) if (resolved.spec !== null) specs[name] = resolved.spec
  return { name: manifest.system, services: specs, environments }
}

function resolveServices(manifest: Manifest, scope: Scope): ReadonlyMap<string, KnownService> {
  const known = new Map<string, KnownService>()
  if (!isBlock(manifest.services)) return known
  const names = Object.keys(manifest.services)
  if (names.length === 0)
    scope.report(['services'], 'there is no service', 'Declare at least one service.', 'key')
  for (const [name, service] of Object.entries(manifest.services)) {
    const at = scope.within('services', name)
    if (name === 'localhost')
      at.report([], '`localhost` always means the instance itself', 'Choose another name.', 'key')
    const resolved = isBlock(service)
      ? resolveService(name, service, names, at)
      : { spec: null, ports: null, exposes: [] }
    known.set(name, { manifest: service, resolved, scope: at })
  }
  refuseSharedVolumes(known)
  return known
}

/** A volume belongs to an environment by its name: a second service would be a second writer. */
function refuseSharedVolumes(services: ReadonlyMap<string, KnownService>): void {
  const writers = new Map<string, string>()
  for (const [service, { manifest, scope }] of services)
    for (const name of isBlock(manifest) ? volumeNames(manifest) : []) {
      const writer = writers.get(name)
      if (writer === undefined) writers.set(name, service)
      else
        scope.report(
          ['volumes', name],
          `volume \`${name}\` is already written by \`${writer}\``,
          'Give it another name: a volume has one writer.',
          'key',
        )
    }
}

function resolveEnvironments(
  manifest: Manifest,
  services: ReadonlyMap<string, KnownService>,
  scope: Scope,
): Readonly<Record<string, EnvironmentSpec>> {
  const written = manifest.environments ?? { [defaults.environment.name]: {} }
  const specs: Record<string, EnvironmentSpec> = {}
  if (!isBlock(written)) return specs
  if (Object.keys(written).length === 0)
    scope.report(
      ['environments'],
      'there is no environment',
      `Declare one, or remove the block to get \`${defaults.environment.name}\`.`,
      'key',
    )
  for (const [name, given] of Object.entries(written)) {
    const environment = given ?? {}
    if (!isBlock(environment)) continue
    const at = scope.within('environments', name)
    const resolved = resolveEnvironment(environment, services, at)
    checkEntries(name, resolved, services, at)
    specs[name] = resolved.spec
  }
  return specs
}
