import type { EnvironmentSpec, ServiceOverride } from '../../core/system.ts'
import { closestName } from '../closest-name.ts'
import { defaults } from '../defaults.ts'
import type { EnvironmentManifest, OverrideManifest } from '../schema/manifest-schema.ts'
import type { ServiceManifest } from '../schema/service-schema.ts'
import { isBlock } from './is-block.ts'
import { type PlacedExpose, resolveExpose } from './resolve-expose.ts'
import { resolveLimits } from './resolve-process.ts'
import type { ResolvedService } from './resolve-service.ts'
import { resolveDuration } from './resolve-timing.ts'
import type { Scope } from './scope.ts'
import { textValues } from './text-values.ts'

export interface KnownService {
  readonly manifest: ServiceManifest
  readonly resolved: ResolvedService
  readonly scope: Scope
}

export interface ResolvedEnvironment {
  readonly spec: EnvironmentSpec
  /** Null when it cannot be read. */
  readonly ingressPort: number | null
  /** The ways in that replace a service's own, by service. */
  readonly exposes: ReadonlyMap<string, readonly PlacedExpose[]>
}

/** Unsound parts are left out: a mistake is reported, so nobody sees the result. */
export function resolveEnvironment(
  environment: EnvironmentManifest,
  services: ReadonlyMap<string, KnownService>,
  scope: Scope,
): ResolvedEnvironment {
  const ifSound = <Value>(key: string, value: Value | undefined, otherwise: Value): Value =>
    scope.isSound(key) ? (value ?? otherwise) : otherwise
  const overrides: Record<string, ServiceOverride> = {}
  const exposes = new Map<string, readonly PlacedExpose[]>()
  const written = typeof environment.services === 'object' ? (environment.services ?? {}) : {}
  for (const [name, override] of Object.entries(written)) {
    const service = services.get(name)
    const at = scope.within('services', name)
    if (service === undefined) reportUnknownService(name, [...services.keys()], at)
    if (!isBlock(override)) continue
    const placed = resolveExposes(override, service, at)
    if (placed !== null) exposes.set(name, placed)
    overrides[name] = resolveOverride(override, service, placed, at)
  }
  const { environment: usual } = defaults
  return {
    exposes,
    ingressPort: scope.isSound('ingress') ? (environment.ingress ?? usual.ingress) : null,
    spec: {
      target: ifSound('target', environment.target, usual.target),
      ingressPort: ifSound('ingress', environment.ingress, usual.ingress),
      services: overrides,
      warmMs: resolveDuration(ifSound('warm', environment.warm, usual.warm), scope, ['warm'], 0),
      watchMs: resolveDuration(ifSound('watch', environment.watch, usual.watch), scope, ['watch'], 0),
    },
  }
}

function resolveOverride(
  override: OverrideManifest,
  service: KnownService | undefined,
  exposes: readonly PlacedExpose[] | null,
  scope: Scope,
): ServiceOverride {
  const replicas = scope.isSound('replicas') ? override.replicas : undefined
  if (isBlock(service?.manifest) && service.manifest.stateful === true && (replicas ?? 1) > 1)
    scope.report(
      ['replicas'],
      'a stateful service has one instance only',
      'Write `replicas: 1`, or remove it here.',
    )
  return {
    ...(replicas !== undefined && { replicas }),
    ...(override.env !== undefined && scope.isSound('env') && { env: textValues(override.env) }),
    ...(override.limits !== undefined && { limits: resolveLimits(override.limits, scope.within('limits')) }),
    ...(exposes !== null && { expose: exposes.map(({ expose }) => expose) }),
  }
}

function resolveExposes(
  override: OverrideManifest,
  service: KnownService | undefined,
  scope: Scope,
): readonly PlacedExpose[] | null {
  if (override.expose === undefined) return null
  return resolveExpose(override.expose, service?.resolved.ports ?? null, scope.within('expose'))
}

function reportUnknownService(name: string, known: readonly string[], scope: Scope): void {
  const close = closestName(name, known)
  const remedy =
    close === null
      ? `Services are ${known.map((one) => `\`${one}\``).join(', ')}.`
      : `did you mean \`${close}\`?`
  scope.report([], `there is no service \`${name}\``, remedy, 'key')
}
