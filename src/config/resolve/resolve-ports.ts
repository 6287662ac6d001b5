import type { Port } from '../../core/system.ts'
import { defaults } from '../defaults.ts'
import type { ManifestPath } from '../problem-list.ts'
import type { PortManifest, ServiceManifest } from '../schema/service-schema.ts'
import type { Scope, SoundItem } from './scope.ts'

/**
 * The ports in the order written; the first one is what `health` and `expose` mean by default. Null when one that is
 * written cannot be read: any port may be meant by it.
 */
export function resolvePorts(service: ServiceManifest, scope: Scope): readonly Port[] | null {
  if (service.port !== undefined && service.ports !== undefined)
    scope.report(['ports'], '`port` and `ports` are both given', 'Put all of them into `ports`.', 'key')
  const single: readonly PlacedPort[] =
    service.port !== undefined && scope.isSound('port') ? [[['port'], service.port]] : []
  const several = scope
    .within('ports')
    .soundItems(service.ports)
    .map(([index, port]): PlacedPort => [['ports', index], port])
  const ports: Port[] = []
  let isKnown = scope.isSound('port', 'ports')
  for (const [path, manifest] of [...several, ...single]) {
    const port = resolvePort(manifest)
    if (port === null) continue
    if (port.port > 65_535) {
      scope.report(path, `${port.port} is not a port`, 'Ports go from 1 to 65535.')
      isKnown = false
    } else if (path.length > 1 && ports.some((other) => other.port === port.port))
      scope.report(path, `port ${port.port} is listed twice`, 'Keep one of them.')
    ports.push(port)
  }
  return isKnown ? ports : null
}

type PlacedPort = readonly [ManifestPath, SoundItem<PortManifest>]

function resolvePort(manifest: SoundItem<PortManifest>): Port | null {
  if (typeof manifest === 'number') return { port: manifest, protocol: defaults.protocol }
  if (typeof manifest !== 'string')
    return manifest.port === undefined
      ? null
      : { port: manifest.port, protocol: manifest.protocol ?? defaults.protocol }
  const [number, protocol] = manifest.split('/')
  return { port: Number(number), protocol: protocol === 'tcp' ? 'tcp' : defaults.protocol }
}

/** "8080, 9000/tcp", for messages. */
export const portsText = (ports: readonly Port[]): string =>
  ports.map(({ port, protocol }) => (protocol === 'tcp' ? `${port}/tcp` : `${port}`)).join(', ')
