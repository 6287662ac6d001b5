import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Digest } from '../../../core/ids.ts'
import type { ContentStore, Descriptor } from '../../content-store.ts'

/** True: the request was answered. */
export type Script = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>

export interface ScriptedRegistry {
  /** `127.0.0.1:<port>` */
  readonly name: string
  readonly requests: {
    readonly method: string
    readonly url: string
    readonly headers: IncomingHttpHeaders
  }[]
  /** What happens before the registry does as it should. */
  script: Script
  close(): Promise<void>
}

/** A registry that serves what a store has, in any repository, unless its script does something worse. */
export async function startScriptedRegistry(
  store: ContentStore,
  tags: Readonly<Record<string, Descriptor>>,
): Promise<ScriptedRegistry> {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '', headers } = request
    // The question whether it speaks TLS or HTTP is none of a test's.
    if (url === '/v2/') return void response.end('{}')
    registry.requests.push({ method, url, headers })
    if (await registry.script(request, response)) return
    const [, kind, name = ''] = /\/(manifests|blobs)\/([^/]+)$/.exec(url) ?? []
    const digest = (tags[name]?.digest ?? name) as Digest
    if (kind !== undefined && /^sha256:[0-9a-f]{64}$/.test(digest) && (await store.has(digest)))
      return serve(request, response, await store.read(digest))
    const error = { code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }
    response.writeHead(404).end(JSON.stringify({ errors: [error] }))
  }
  // Who breaks off a request gets no answer.
  const server = createServer(
    (request, response) => void answer(request, response).catch(() => response.destroy()),
  )
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const registry: ScriptedRegistry = {
    name: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    script: () => false,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return registry
}

/** Bytes, from the asked one on. */
export function serve({ headers }: IncomingMessage, response: ServerResponse, bytes: Buffer): void {
  const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
  response.writeHead(start === 0 ? 200 : 206, {
    'content-length': bytes.byteLength - start,
    ...(start === 0 ? {} : { 'content-range': `bytes ${start}-${bytes.byteLength - 1}/${bytes.byteLength}` }),
  })
  response.end(bytes.subarray(start))
}

/** Promises all bytes from the asked one on, and breaks off after some of them. */
export function breakOff(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
  count: number,
): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  response.writeHead(start === 0 ? 200 : 206, {
    'content-length': bytes.byteLength - start,
    'content-range': `bytes ${start}-${bytes.byteLength - 1}/${bytes.byteLength}`,
  })
  response.write(bytes.subarray(start, start + count), () => setImmediate(() => response.destroy()))
}
