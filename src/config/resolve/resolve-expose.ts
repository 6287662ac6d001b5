import { hostPattern, urlPathPattern } from '../../core/address-patterns.ts'
import type { Expose, Port } from '../../core/system.ts'
import { defaults } from '../defaults.ts'
import type { ManifestPath } from '../problem-list.ts'
import { quote } from '../schema/describe-value.ts'
import { type ExposeBlock, type ExposeManifest } from '../schema/expose-schema.ts'
import { portsText } from './resolve-ports.ts'
import type { Scope } from './scope.ts'

/** A way in and where it is written, relative to the `expose` key. */
export interface PlacedExpose {
  readonly expose: Expose
  readonly path: ManifestPath
}

/** `scope` is that of the `expose` key. Ways in that make no sense are reported and left out. */
export function resolveExpose(
  written: ExposeManifest | undefined,
  ports: readonly Port[],
  scope: Scope,
): readonly PlacedExpose[] {
  if (written === undefined || written === false) return []
  const items: readonly (readonly [ManifestPath, string | ExposeBlock])[] = Array.isArray(written)
    ? written.map((item, index) => [[index], item])
    : [[[], written === true ? {} : written]]
  return items.flatMap(([path, item]) => {
    const block = typeof item === 'string' ? parseShort(item, scope, path) : item
    const expose = block === null ? null : resolveOne(block, ports, scope, path)
    return expose === null ? [] : [{ expose, path }]
  })
}

/** `host`, `host/path` or `/path`. */
function parseShort(text: string, scope: Scope, path: ManifestPath): ExposeBlock | null {
  const slash = text.indexOf('/')
  const host = slash === -1 ? text : text.slice(0, slash)
  const urlPath = slash === -1 ? defaults.expose.path : text.slice(slash)
  if (!hostPattern.test(host || defaults.expose.host) || !urlPathPattern.test(urlPath)) {
    scope.report(
      path,
      `${quote(text)} is not a host and path`,
      'Write it like `shop.localhost/api` or `/api`.',
    )
    return null
  }
  return { host: host || defaults.expose.host, path: urlPath }
}

function resolveOne(
  block: ExposeBlock,
  ports: readonly Port[],
  scope: Scope,
  path: ManifestPath,
): Expose | null {
  return block.tcp === undefined
    ? resolveHttp(block, ports, scope, path)
    : resolveTcp(block, block.tcp, ports, scope, path)
}

function resolveHttp(
  block: ExposeBlock,
  ports: readonly Port[],
  scope: Scope,
  path: ManifestPath,
): Expose | null {
  const port = pickPort(ports, 'http', block.port)
  if (port === null) {
    reportNoPort('http', block, ports, scope, path)
    return null
  }
  const urlPath = block.path ?? defaults.expose.path
  return {
    kind: 'http',
    host: (block.host ?? defaults.expose.host).toLowerCase(),
    path: urlPath === '/' ? urlPath : urlPath.replace(/\/$/, ''),
    port,
    entryPort: block.listen ?? null,
  }
}

function resolveTcp(
  block: ExposeBlock,
  entryPort: number,
  ports: readonly Port[],
  scope: Scope,
  path: ManifestPath,
): Expose | null {
  const alien = (['host', 'path', 'listen'] as const).find((key) => block[key] !== undefined)
  if (alien !== undefined) {
    scope.report(
      [...path, alien],
      `\`${alien}\` does not go with \`tcp\``,
      'TCP is told apart by its entry port alone: remove it.',
      'key',
    )
    return null
  }
  // The same number inside and outside is what `tcp: 5432` says at first sight.
  const port = pickPort(ports, 'tcp', block.port)
  const same = block.port === undefined ? pickPort(ports, 'tcp', entryPort) : null
  if (port === null) {
    reportNoPort('tcp', block, ports, scope, path)
    return null
  }
  return { kind: 'tcp', port: same ?? port, entryPort }
}

const pickPort = (
  ports: readonly Port[],
  protocol: Port['protocol'],
  wanted: number | undefined,
): number | null =>
  ports.find((port) => port.protocol === protocol && (wanted === undefined || port.port === wanted))?.port ??
  null

function reportNoPort(
  protocol: Port['protocol'],
  block: ExposeBlock,
  ports: readonly Port[],
  scope: Scope,
  path: ManifestPath,
): void {
  const declared = ports.length === 0 ? 'none is declared' : `declared: ${portsText(ports)}`
  const example = block.port ?? (protocol === 'tcp' ? block.tcp : undefined) ?? 8080
  const add = protocol === 'tcp' ? `${example}/tcp` : `${example}`
  scope.report(
    block.port === undefined ? path : [...path, 'port'],
    block.port === undefined
      ? `the service has no ${protocol} port to expose`
      : `${block.port} is not one of the service’s ${protocol} ports`,
    `Declare it with \`port: ${add}\`; ${declared}.`,
  )
}
