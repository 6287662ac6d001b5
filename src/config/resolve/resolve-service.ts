import type { ImageSource, RunSpec, ServiceSpec } from '../../core/system.ts'
import { closestName } from '../closest-name.ts'
import { defaults } from '../defaults.ts'
import type { ServiceManifest } from '../schema/service-schema.ts'
import { resolveArguments } from './resolve-arguments.ts'
import { type PlacedExpose, resolveExpose } from './resolve-expose.ts'
import { resolveHealth } from './resolve-health.ts'
import { resolveMounts } from './resolve-mounts.ts'
import { resolvePorts } from './resolve-ports.ts'
import { resolveCapabilities, resolveLimits, resolveStop } from './resolve-process.ts'
import { digestIn, resolveRecipe } from './resolve-recipe.ts'
import { resolveUser } from './resolve-user.ts'
import type { Scope } from './scope.ts'
import { textValues } from './text-values.ts'

export interface ResolvedService {
  /** Null when a mistake was reported. */
  readonly spec: ServiceSpec | null
  /** Null when the ports or ways in are mistaken themselves. */
  readonly ports: RunSpec['ports'] | null
  readonly exposes: readonly PlacedExpose[] | null
}

/**
 * One service with its defaults. Each aspect is judged when the keys that it reads are sound, so that a mistake
 * in one does not hide those in the others.
 */
export function resolveService(
  name: string,
  service: ServiceManifest,
  siblings: readonly string[],
  scope: Scope,
): ResolvedService {
  const source = resolveSource(service, scope)
  const ports = resolvePorts(service, scope)
  const health = resolveHealth(service.health, ports, scope)
  const exposes =
    ports === null || !scope.isSound('expose')
      ? null
      : resolveExpose(service.expose, ports, scope.within('expose'))
  const mounts = resolveMounts(service, scope)
  const needs = resolveNeeds(name, service, siblings, scope)
  const process = resolveProcess(service, scope)
  checkReplicas(service, scope)
  if (!source || !ports || !health || !exposes || !mounts || !needs || !process || !scope.isSound())
    return { spec: null, ports, exposes }
  return {
    ports,
    exposes,
    spec: {
      source,
      run: { ...process, ...mounts, ports, health, needs, stateful: service.stateful ?? false },
      expose: exposes.map(({ expose }) => expose),
      replicas: service.replicas ?? defaults.replicas,
      labels: textValues(service.labels),
    },
  }
}

function resolveSource(service: ServiceManifest, scope: Scope): ImageSource | null {
  if (!scope.isSound('image')) return null
  const isRecipe = scope.within('build').soundPart(service.build) !== undefined
  if (isRecipe && service.image !== undefined) {
    scope.report(['image'], '`build` and `image` are both given', 'Keep one of them.', 'key')
    return null
  }
  if (service.image !== undefined) return { kind: 'image', digest: digestIn(service.image) }
  if (service.build === undefined && !scope.isSound('build')) return null
  if (service.build === undefined) {
    scope.report(
      [],
      'the service has neither `build` nor `image`',
      'Say how its image is built, or name one by digest.',
      'key',
    )
    return null
  }
  const recipe = resolveRecipe(service.build, scope.within('build'))
  if (recipe === null) return null
  const inherits = recipe.base.kind === 'image'
  if (
    scope.isSound('build', 'command') &&
    recipe.entrypoint.length === 0 &&
    service.command === undefined &&
    !inherits
  )
    scope.report(
      ['build'],
      'there is nothing to run: `build` has no `entrypoint`',
      'Add for example `entrypoint: [node, server.js]`.',
      'key',
    )
  return { kind: 'native', recipe }
}

function resolveNeeds(
  name: string,
  service: ServiceManifest,
  siblings: readonly string[],
  scope: Scope,
): readonly string[] | null {
  const needs = scope.within('needs').soundItems(service.needs)
  for (const [index, need] of needs) {
    if (needs.some(([before, other]) => before < index && other === need))
      scope.report(['needs', index], `\`${need}\` is listed twice`, 'Keep one of them.')
    else if (need === name)
      scope.report(
        ['needs', index],
        `\`${name}\` needs itself`,
        'Remove it; an instance reaches itself at `localhost`.',
      )
    else if (!siblings.includes(need)) {
      const close = closestName(
        need,
        siblings.filter((sibling) => sibling !== name),
      )
      const remedy =
        close === null
          ? `Services are ${siblings.map((sibling) => `\`${sibling}\``).join(', ')}.`
          : `did you mean \`${close}\`?`
      scope.report(['needs', index], `there is no service \`${need}\``, remedy)
    }
  }
  return scope.isSound('needs') ? [...(service.needs ?? [])].toSorted() : null
}

type Process = Pick<RunSpec, 'command' | 'env' | 'limits' | 'user' | 'capabilities' | 'stop'>

function resolveProcess(service: ServiceManifest, scope: Scope): Process | null {
  const sound = (key: keyof ServiceManifest): boolean => scope.isSound(key)
  const command =
    service.command === undefined || !sound('command')
      ? null
      : resolveArguments(service.command, scope, ['command'])
  const limits = resolveLimits(service.limits, scope.within('limits'))
  const capabilities = sound('capabilities') ? resolveCapabilities(service.capabilities, scope) : null
  const stop = resolveStop(service.stop, scope)
  const user = sound('user') ? resolveUser(service.user, scope) : null
  if (capabilities === null || !sound('env')) return null
  return {
    command,
    env: textValues(service.env),
    limits: { memoryBytes: null, cpus: null, pids: defaults.limits.pids, ...limits },
    user,
    capabilities,
    stop,
  }
}

function checkReplicas(service: ServiceManifest, scope: Scope): void {
  if (scope.isSound('replicas', 'stateful') && service.stateful === true && (service.replicas ?? 1) > 1)
    scope.report(
      ['replicas'],
      'a stateful service has one instance only',
      'Write `replicas: 1`, or remove `stateful`.',
    )
}
