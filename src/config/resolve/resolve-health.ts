import type { HealthCheck, HealthTiming, Port } from '../../core/system.ts'
import { defaults } from '../defaults.ts'
import type { ManifestPath } from '../problem-list.ts'
import type { HealthManifest, ServiceManifest } from '../schema/service-schema.ts'
import { resolveArguments } from './resolve-arguments.ts'
import { portsText } from './resolve-ports.ts'
import { resolveDuration } from './resolve-timing.ts'
import type { Scope } from './scope.ts'

/** Null when its own or the ports' mistakes are reported already. */
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
  const at: ManifestPath = typeof written === 'string' ? [] : ['http']
  const timing = resolveTiming(block, health)
  if (ports === null) return null

  const ways = (['http', 'tcp', 'command'] as const).filter((way) => block[way] !== undefined)
  if (ways.length > 1) {
    const fact = `${ways.map((way) => `\`${way}\``).join(' and ')} are both given`
    health.report([ways[1] ?? ''], fact, 'Keep one way to ask.', 'key')
  }
  if (block.port !== undefined && (block.tcp !== undefined || block.command !== undefined))
    health.report(['port'], '`port` belongs to `http`', 'Write `tcp: <port>`, or remove it.', 'key')

  if (block.command !== undefined)
    return { kind: 'command', command: resolveArguments(block.command, health, ['command']), ...timing }
  if (block.tcp !== undefined) {
    requireDeclared(block.tcp, ports, health, ['tcp'])
    return { kind: 'tcp', port: block.tcp, ...timing }
  }
  if (block.http === undefined && block.port === undefined) return defaultCheck(ports, timing)
  const port = block.port ?? ports[0]?.port
  if (port === undefined)
    health.report(at, 'there is no port to ask', 'Declare `port`, or write `health: running`.')
  else if (block.port !== undefined) requireDeclared(port, ports, health, ['port'])
  return { kind: 'http', path: block.http ?? defaults.health.path, port: port ?? 0, ...timing }
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
