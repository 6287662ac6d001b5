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

/**
 * `scope` is that of the `expose` key; `ports` are null when they are not known. A way in whose port is mistaken still
 * has its place in the environment; one that cannot be read is left out.
 */
export function resolveExpose(
  written: ExposeManifest | undefined,
  ports: readonly Port[] | null,
  scope: Scope,
): readonly PlacedExpose[] {
  return readableItems(written, scope).flatMap(([path, item]) => {
    const block = typeof item === 'string' ? parseShort(item, scope, path) : item
    const expose = block === null ? null : resolveOne(block, ports, scope, path)
    return expose === null ? [] : [{ expose, path }]
  })
}

type Readable = string | Partial<ExposeBlock>

function readableItems(
  written: ExposeManifest | undefined,
  scope: Scope,
): readonly (readonly [ManifestPath, Readable])[] {
  if (Array.isArray(written)) return scope.soundItems(written).map(([index, item]) => [[index], item])
  if (typeof written === 'object') {
    const block = scope.soundPart(written)
    return block === undefined ? [] : [[[], block]]
  }
  if (written === undefined || written === false || !scope.isSound()) return []
  return [[[], written === true ? {} : written]]
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
  ports: readonly Port[] | null,
  scope: Scope,
  path: ManifestPath,
): Expose | null {
  if (block.tcp !== undefined) return resolveTcp(block, block.tcp, ports, scope, path)
  // Which protocol was meant is not known.
  if (!isPartSound(scope, path, ['tcp'])) return null
  return resolveHttp(block, ports, scope, path)
}

function resolveHttp(
  block: ExposeBlock,
  ports: readonly Port[] | null,
  scope: Scope,
  path: ManifestPath,
): Expose | null {
  const port = choosePort('http', block, ports, scope, path)
  // A host or path that cannot be read has no place yet.
  if (!isPartSound(scope, path, ['host', 'path', 'listen'])) return null
  const urlPath = block.path ?? defaults.expose.path
  return {
    kind: 'http',
    host: (block.host ?? defaults.expose.host).toLowerCase(),
    path: urlPath === '/' ? urlPath : urlPath.replace(/\/$/, ''),
    port: port ?? 0,
    entryPort: block.listen ?? null,
  }
}

function resolveTcp(
  block: ExposeBlock,
  entryPort: number,
  ports: readonly Port[] | null,
  scope: Scope,
  path: ManifestPath,
): Expose {
  for (const alien of ['host', 'path', 'listen'] as const)
    if (block[alien] !== undefined)
      scope.report(
        [...path, alien],
        `\`${alien}\` does not go with \`tcp\``,
        'TCP is told apart by its entry port alone: remove it.',
        'key',
      )
  // The same number inside and outside is what `tcp: 5432` says at first sight.
  const same = block.port === undefined ? pickPort(ports ?? [], 'tcp', entryPort) : null
  const port = choosePort('tcp', block, ports, scope, path)
  return { kind: 'tcp', port: same ?? port ?? 0, entryPort }
}

const isPartSound = (scope: Scope, path: ManifestPath, keys: readonly string[]): boolean =>
  scope.within(...path).isSound(...keys)

/** Null when there is none, which is reported unless it cannot be known. */
function choosePort(
  protocol: Port['protocol'],
  block: ExposeBlock,
  ports: readonly Port[] | null,
  scope: Scope,
  path: ManifestPath,
): number | null {
  if (ports === null || !isPartSound(scope, path, ['port'])) return null
  const port = pickPort(ports, protocol, block.port)
  if (port === null) reportNoPort(protocol, block, ports, scope, path)
  return port
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
