import type { Port } from '../../core/system.ts'
import { defaults } from '../defaults.ts'
import type { ManifestPath } from '../problem-list.ts'
import type { PortManifest, ServiceManifest } from '../schema/service-schema.ts'
import type { Scope } from './scope.ts'

/** The ports in the order written; the first one is what `health` and `expose` mean by default. Null: unknown. */
export function resolvePorts(service: ServiceManifest, scope: Scope): readonly Port[] | null {
  if (service.port !== undefined && service.ports !== undefined)
    scope.report(['ports'], '`port` and `ports` are both given', 'Put all of them into `ports`.', 'key')
  const written: readonly (readonly [ManifestPath, PortManifest])[] =
    service.port === undefined
      ? scope
          .within('ports')
          .soundItems(service.ports)
          .map(([index, port]) => [['ports', index], port])
      : scope.isSound('port')
        ? [[['port'], service.port]]
        : []
  const ports: Port[] = []
  for (const [path, manifest] of written) {
    const port = resolvePort(manifest)
    if (port.port > 65_535) scope.report(path, `${port.port} is not a port`, 'Ports go from 1 to 65535.')
    else if (ports.some((other) => other.port === port.port))
      scope.report(path, `port ${port.port} is listed twice`, 'Keep one of them.')
    ports.push(port)
  }
  return scope.isSound('port', 'ports') ? ports : null
}

function resolvePort(manifest: PortManifest): Port {
  if (typeof manifest === 'number') return { port: manifest, protocol: defaults.protocol }
  if (typeof manifest !== 'string')
    return { port: manifest.port, protocol: manifest.protocol ?? defaults.protocol }
  const [number, protocol] = manifest.split('/')
  return { port: Number(number), protocol: protocol === 'tcp' ? 'tcp' : defaults.protocol }
}

/** "8080, 9000/tcp", for messages. */
export const portsText = (ports: readonly Port[]): string =>
  ports.map(({ port, protocol }) => (protocol === 'tcp' ? `${port}/tcp` : `${port}`)).join(', ')
