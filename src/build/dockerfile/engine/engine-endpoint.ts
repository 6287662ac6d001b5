import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { BasaltError } from '../../../errors.ts'
import { usualDockerSocket } from '../../../util/docker-socket.ts'

/** Where an Engine answers. */
export type EngineEndpoint =
  | { readonly kind: 'socket'; readonly path: string }
  | {
      readonly kind: 'tcp'
      readonly host: string
      readonly port: number
      /** PEM; null: without TLS. */
      readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer } | null
    }

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The Engine that Docker's own client would take: DOCKER_HOST, else the context of DOCKER_CONTEXT or of Docker's
 * config.json, else the usual sockets. Throws `docker.unreachable` for an address that is not understood.
 */
export function engineEndpoint(environment: Environment): EngineEndpoint {
  const host = environment['DOCKER_HOST'] ?? ''
  const verifies = (environment['DOCKER_TLS_VERIFY'] ?? '') !== ''
  if (host !== '')
    return parseHost(host, verifies ? (environment['DOCKER_CERT_PATH'] ?? configFolder(environment)) : null)
  return (
    contextEndpoint(environment) ?? {
      kind: 'socket',
      path: usualDockerSocket(),
    }
  )
}

export const endpointName = (endpoint: EngineEndpoint): string =>
  endpoint.kind === 'socket' ? endpoint.path : `${endpoint.host}:${endpoint.port}`

const configFolder = (environment: Environment): string =>
  environment['DOCKER_CONFIG'] ?? join(environment['HOME'] ?? '/root', '.docker')

const configSchema = z.looseObject({ currentContext: z.string().optional() })
const metaSchema = z.looseObject({
  Endpoints: z.looseObject({ docker: z.looseObject({ Host: z.string() }) }),
})

/** Null: the context is `default`, or there is none. */
function contextEndpoint(environment: Environment): EngineEndpoint | null {
  const folder = configFolder(environment)
  const config = readJson(join(folder, 'config.json'), configSchema)
  const name = environment['DOCKER_CONTEXT'] || config?.currentContext || 'default'
  if (name === 'default') return null
  const id = createHash('sha256').update(name).digest('hex')
  const meta = readJson(join(folder, 'contexts/meta', id, 'meta.json'), metaSchema)
  if (meta === null) throw unusable(`the docker context ${name} does not exist`)
  const certificates = join(folder, 'contexts/tls', id, 'docker')
  return parseHost(meta.Endpoints.docker.Host, existsSync(certificates) ? certificates : null)
}

function parseHost(host: string, certificates: string | null): EngineEndpoint {
  if (host.startsWith('unix://')) return { kind: 'socket', path: host.slice('unix://'.length) }
  const [, name, port] = /^(?:tcp|https?):\/\/(\[[^\]]+\]|[^:/]+)(?::(\d+))?\/?$/.exec(host) ?? []
  if (name === undefined)
    throw unusable(`the Docker Engine at ${host} cannot be used: only unix:// and tcp:// are understood`)
  const tls = certificates === null ? null : readCertificates(certificates)
  return {
    kind: 'tcp',
    host: name.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port ?? (tls === null ? 2375 : 2376)),
    tls,
  }
}

function readCertificates(folder: string) {
  const read = (name: string) =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name)) : undefined
  const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map(read)
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
}

function readJson<Schema extends z.ZodType>(file: string, schema: Schema): z.infer<Schema> | null {
  try {
    return schema.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data ?? null
  } catch {
    return null
  }
}

const unusable = (message: string): BasaltError =>
  new BasaltError('docker.unreachable', {
    message,
    remedy: 'Set DOCKER_HOST to unix:///path/of/docker.sock or tcp://host:port, then: basalt server restart',
  })
