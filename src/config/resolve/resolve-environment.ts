import type { EnvironmentSpec, ServiceOverride } from '../../core/system.ts'
import { closestName } from '../closest-name.ts'
import { defaults } from '../defaults.ts'
import type { EnvironmentManifest, OverrideManifest } from '../schema/manifest-schema.ts'
import type { ServiceManifest } from '../schema/service-schema.ts'
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
    if (service === undefined) {
      reportUnknownService(name, [...services.keys()], at)
      continue
    }
    if (!isBlock(override)) continue
    const placed = resolveExposes(override, service, at)
    if (placed !== null) exposes.set(name, placed)
    overrides[name] = resolveOverride(override, service, placed, at)
  }
  const { environment: usual } = defaults
  return {
    exposes,
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
  { manifest }: KnownService,
  exposes: readonly PlacedExpose[] | null,
  scope: Scope,
): ServiceOverride {
  const replicas = scope.isSound('replicas') ? override.replicas : undefined
  if (isBlock(manifest) && manifest.stateful === true && (replicas ?? 1) > 1)
    scope.report(
      ['replicas'],
      'a stateful service has one instance only',
      'Write `replicas: 1`, or remove it here.',
    )
  return {
    ...(replicas !== undefined && { replicas }),
    ...(override.env !== undefined && scope.isSound('env') && { env: textValues(override.env) }),
    ...(override.limits !== undefined &&
      scope.isSound('limits') && { limits: resolveLimits(override.limits, scope.within('limits')) }),
    ...(exposes !== null && { expose: exposes.map(({ expose }) => expose) }),
  }
}

function resolveExposes(
  override: OverrideManifest,
  { resolved }: KnownService,
  scope: Scope,
): readonly PlacedExpose[] | null {
  if (override.expose === undefined || resolved.ports === null || !scope.isSound('expose')) return null
  return resolveExpose(override.expose, resolved.ports, scope.within('expose'))
}

function reportUnknownService(name: string, known: readonly string[], scope: Scope): void {
  const close = closestName(name, known)
  const remedy =
    close === null
      ? `Services are ${known.map((one) => `\`${one}\``).join(', ')}.`
      : `did you mean \`${close}\`?`
  scope.report([], `there is no service \`${name}\``, remedy, 'key')
}

/** What the schema has refused may be anything. */
export const isBlock = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
