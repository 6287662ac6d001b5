import type { Op } from '../../../core/op.ts'
import { isAllowed, isLoopback, registryHost } from './endpoint.ts'
import type { HttpRequest, HttpTransport } from './http-transport.ts'
import { readRemark } from './read-body.ts'
import { failed, isUntrusted, networkCode } from './registry-error.ts'
import type { Exchange } from './retrier.ts'

/** Where a registry is, and where it sends us. */
export interface RegistryAddress {
  /** An address below `/v2/`. */
  at(path: string): Promise<URL>
  /** Where `Location` leads. Rejects with `registry.failed` for what is not safe. */
  locate(location: string | undefined, from: URL | string): Promise<URL>
  /** One exchange with redirects of GET and HEAD followed. Other hosts get no credentials of ours. */
  exchange(request: Omit<HttpRequest, 'signal'>, authorization: string | null): Promise<Exchange>
}

const maxRedirects = 5
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

export function registryAddress(
  registry: string,
  what: string,
  transport: HttpTransport,
  op: Op,
): RegistryAddress {
  let base: Promise<URL> | undefined
  const baseUrl = (): Promise<URL> => (base ??= findBase(registry, transport, op))
  const at = async (path: string): Promise<URL> => new URL(`/v2/${path}`, await baseUrl())

  const locate: RegistryAddress['locate'] = async (location, from) => {
    const start = from instanceof URL ? from : await at(from)
    if (location === undefined || !URL.canParse(location, start.href))
      throw failed(registry, what, 'gave no address to go on at')
    const url = new URL(location, start)
    if (!isAllowed(url, registry))
      throw failed(registry, what, `leads to ${url.protocol}//${url.host}, which is not asked by HTTPS`)
    return url
  }

  return {
    at,
    locate,
    async exchange(request, authorization) {
      const { origin } = await baseUrl()
      const mayFollow = request.method === 'GET' || request.method === 'HEAD'
      let { url } = request
      for (let hop = 0; hop <= maxRedirects; hop++) {
        const isOwn = url.origin === origin
        const headers =
          isOwn && authorization !== null ? { ...request.headers, authorization } : request.headers
        const answer = await transport.send({ ...request, url, headers, signal: op.signal })
        if (!mayFollow || !redirects.has(answer.status)) return { answer, isOwn }
        await readRemark(answer)
        url = await locate(answer.headers.location, url)
      }
      throw failed(registry, what, `redirects more than ${maxRedirects} times`)
    },
  }
}

/** On this machine a registry may have no certificate; whether it has one is found out by asking, as Docker does. */
async function findBase(registry: string, transport: HttpTransport, op: Op): Promise<URL> {
  const secure = new URL(`https://${registryHost(registry)}`)
  if (!isLoopback(secure.hostname)) return secure
  const plain = new URL(`http://${registry}`)
  const statusAt = async (base: URL): Promise<number> => {
    const request = { method: 'GET', url: new URL('/v2/', base), headers: {}, signal: op.signal } as const
    const answer = await transport.send(request)
    await readRemark(answer)
    return answer.status
  }
  try {
    await statusAt(secure)
    return secure
  } catch (cause) {
    if (op.signal.aborted || isUntrusted(cause) || networkCode(cause) === 'ECONNREFUSED') return secure
    // Servers that speak TLS take a plain request for a bad one, or close the connection.
    const status = await statusAt(plain).catch(() => 400)
    return status === 400 ? secure : plain
  }
}
