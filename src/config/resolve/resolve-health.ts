import type { HealthCheck, HealthTiming, Port } from '../../core/system.ts'
import { defaults } from '../defaults.ts'
import type { ManifestPath } from '../problem-list.ts'
import type { HealthManifest, ServiceManifest } from '../schema/service-schema.ts'
import { isBlock } from './is-block.ts'
import { resolveArguments } from './resolve-arguments.ts'
import { portsText } from './resolve-ports.ts'
import { resolveDuration } from './resolve-timing.ts'
import type { Scope } from './scope.ts'

/**
 * `ports` are null when they are not known. Null when the check cannot be told, because of a mistake that is reported.
 */
export function resolveHealth(
  written: ServiceManifest['health'],
  ports: readonly Port[] | null,
  scope: Scope,
): HealthCheck | null {
  const health = scope.within('health')
  if (typeof written !== 'object' && !health.isSound()) return null
  if (written === 'running') return { kind: 'running', ...resolveTiming({}, health) }
  const block: HealthManifest =
    typeof written === 'string' ? { http: written } : (health.soundPart(written) ?? {})
  const timing = resolveTiming(block, health)
  if (isBlock(written)) refuseSeveralWays(Object.keys(written), health)
  const command = block.command === undefined ? null : resolveArguments(block.command, health, ['command'])
  if (ports === null) return null

  if (block.tcp !== undefined) requireDeclared(block.tcp, ports, health, ['tcp'])
  if (command !== null) return { kind: 'command', command, ...timing }
  if (block.tcp !== undefined) return { kind: 'tcp', port: block.tcp, ...timing }
  if (block.http === undefined && block.port === undefined) return defaultCheck(ports, timing)
  const port = block.port ?? ports[0]?.port
  if (port === undefined) {
    const at: ManifestPath = typeof written === 'string' ? [] : ['http']
    health.report(at, 'there is no port to ask', 'Declare `port`, or write `health: running`.')
  } else if (block.port !== undefined) requireDeclared(port, ports, health, ['port'])
  return { kind: 'http', path: block.http ?? defaults.health.path, port: port ?? 0, ...timing }
}

/** `keys` are all that are written, sound or not. */
function refuseSeveralWays(keys: readonly string[], health: Scope): void {
  const ways = ['http', 'tcp', 'command'].filter((way) => keys.includes(way))
  if (ways.length > 1) {
    const fact = `${ways.map((way) => `\`${way}\``).join(' and ')} are both given`
    health.report([ways[1] ?? ''], fact, 'Keep one way to ask.', 'key')
  }
  if (keys.includes('port') && (keys.includes('tcp') || keys.includes('command')))
    health.report(['port'], '`port` belongs to `http`', 'Write `tcp: <port>`, or remove it.', 'key')
}

function defaultCheck(ports: readonly Port[], timing: HealthTiming): HealthCheck {
  const first = ports[0]
  if (first === undefined) return { kind: 'running', ...timing }
  if (first.protocol === 'tcp') return { kind: 'tcp', port: first.port, ...timing }
  return { kind: 'http', path: defaults.health.path, port: first.port, ...timing }
}

const resolveTiming = (block: HealthManifest, scope: Scope): HealthTiming => ({
  intervalMs: resolveDuration(block.interval ?? defaults.health.interval, scope, ['interval'], 1),
  timeoutMs: resolveDuration(block.timeout ?? defaults.health.timeout, scope, ['timeout'], 1),
  startMs: resolveDuration(block.start ?? defaults.health.start, scope, ['start'], 1),
  retries: block.retries ?? defaults.health.retries,
})

function requireDeclared(port: number, ports: readonly Port[], scope: Scope, path: ManifestPath): void {
  if (ports.some((declared) => declared.port === port)) return
  const remedy =
    ports.length === 0
      ? `Declare it: \`port: ${port}\`.`
      : `Add it to \`ports\`; declared: ${portsText(ports)}.`
  scope.report(path, `port ${port} is not one of the service’s ports`, remedy)
}
