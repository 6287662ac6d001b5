import type { ImageSource, RunSpec, ServiceSpec } from '../../core/system.ts'
import { closestName } from '../closest-name.ts'
import { defaults } from '../defaults.ts'
import type { DockerfileManifest } from '../schema/dockerfile-schema.ts'
import type { RecipeManifest } from '../schema/recipe-schema.ts'
import type { ServiceManifest } from '../schema/service-schema.ts'
import { resolveArguments } from './resolve-arguments.ts'
import { resolveDockerfile } from './resolve-dockerfile.ts'
import { type PlacedExpose, resolveExpose } from './resolve-expose.ts'
import { resolveHealth } from './resolve-health.ts'
import { resolveImage } from './resolve-image.ts'
import { resolveMounts } from './resolve-mounts.ts'
import { resolvePorts } from './resolve-ports.ts'
import { resolveCapabilities, resolveLimits, resolveStop } from './resolve-process.ts'
import { resolveRecipe } from './resolve-recipe.ts'
import { resolveUser } from './resolve-user.ts'
import type { Scope } from './scope.ts'
import { textValues } from './text-values.ts'

export interface ResolvedService {
  /** Null when a mistake was reported. */
  readonly spec: ServiceSpec | null
  /** Null when they are not known. */
  readonly ports: RunSpec['ports'] | null
  /** Those that could be read. */
  readonly exposes: readonly PlacedExpose[]
}

/**
 * One service with its defaults. Each aspect reads what is sound of its keys, so that a mistake hides no other one.
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
  const exposes = resolveExpose(service.expose, ports, scope.within('expose'))
  const mounts = resolveMounts(service, scope)
  const needs = resolveNeeds(name, service, siblings, scope)
  const process = resolveProcess(service, scope)
  checkReplicas(service, scope)
  if (source === null || ports === null || health === null || !scope.isSound())
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
  const own = resolveBuild(service, scope)
  if (service.image !== undefined) {
    if (own !== null && scope.isSound('image'))
      scope.report(['image'], '`build` and `image` are both given', 'Keep one of them.', 'key')
    return scope.isSound('image') ? resolveImage(service.image, scope, ['image']) : null
  }
  if (service.build === undefined && scope.isSound('build', 'image'))
    scope.report(
      [],
      'the service has neither `build` nor `image`',
      'Say how its image is built, or name one.',
      'key',
    )
  return own
}

function resolveBuild(service: ServiceManifest, scope: Scope): ImageSource | null {
  const written = service.build
  if (written === undefined) return null
  const build = scope.within('build')
  if (typeof written === 'string' || isDockerfile(written)) {
    const recipe = resolveDockerfile(written, build)
    return recipe === null ? null : { kind: 'dockerfile', recipe }
  }
  const recipe = resolveRecipe(written, build)
  if (recipe === null) return null
  if (
    service.image === undefined &&
    build.isSound('base', 'entrypoint') &&
    scope.isSound('command') &&
    recipe.base.kind !== 'image' &&
    recipe.base.kind !== 'reference' &&
    written.entrypoint === undefined &&
    service.command === undefined
  )
    scope.report(
      ['build'],
      'there is nothing to run: `build` has no `entrypoint`',
      'Add for example `entrypoint: [node, server.js]`.',
      'key',
    )
  return { kind: 'native', recipe }
}

/** By the key that a recipe of the native builder has not. */
const isDockerfile = (build: RecipeManifest | DockerfileManifest): build is DockerfileManifest =>
  typeof build === 'object' && build !== null && 'context' in build

function resolveNeeds(
  name: string,
  service: ServiceManifest,
  siblings: readonly string[],
  scope: Scope,
): readonly string[] {
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
  return needs.map(([, need]) => need).toSorted()
}

type Process = Pick<RunSpec, 'command' | 'env' | 'limits' | 'user' | 'capabilities' | 'stop'>

function resolveProcess(service: ServiceManifest, scope: Scope): Process {
  const command = service.command === undefined ? null : resolveArguments(service.command, scope, ['command'])
  const limits = resolveLimits(service.limits, scope.within('limits'))
  const capabilities = resolveCapabilities(service.capabilities, scope)
  const stop = resolveStop(service.stop, scope)
  const user = scope.isSound('user') ? resolveUser(service.user, scope) : null
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
