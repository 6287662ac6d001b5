import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { createSecureContext } from 'node:tls'
import type { Dispatcher } from 'undici'
import { replacedWhileRunning } from '../../../util/replaced-while-running.ts'
import { isLoopback } from './endpoint.ts'
import type { RegistryTrust } from './registry-trust.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer | Readable
  readonly signal: AbortSignal
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Must be read to its end or destroyed. */
  readonly body: Readable
}

/** One exchange: no redirect is followed, nothing is tried again. Rejects where there is no answer. */
export interface HttpTransport {
  send(request: HttpRequest): Promise<HttpAnswer>
  close(): Promise<void>
}

const connectMs = 10_000
const silenceMs = 60_000

/** Undici is loaded by the first request: most servers never ask a registry, and it is a fifth of their start. */
export function createHttpTransport(trust: RegistryTrust, environment: NodeJS.ProcessEnv): HttpTransport {
  let opened: Promise<{ readonly direct: Dispatcher; readonly proxied: Dispatcher }> | undefined
  const dispatchers = () => (opened ??= openDispatchers(trust, environment))
  return {
    async send({ method, url, headers, body, signal }) {
      const { direct, proxied } = await dispatchers()
      const answer = await (isLoopback(url.hostname) ? direct : proxied).request({
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: { 'user-agent': 'basalt', ...headers },
        body: body ?? null,
        signal,
      })
      return { status: answer.statusCode, headers: answer.headers, body: answer.body }
    },
    async close() {
      if (opened === undefined) return
      const { direct, proxied } = await opened
      await Promise.all([direct.destroy(), proxied.destroy()])
    },
  }
}

async function openDispatchers(trust: RegistryTrust, environment: NodeJS.ProcessEnv) {
  // A CommonJS package in a bundle has its exports in `default` only.
  const { Agent, EnvHttpProxyAgent } = (await import('undici').catch(replacedWhileRunning('HTTP client')))
    .default
  const { authorities, certificate, key } = trust
  const client = certificate === null || key === null ? {} : { cert: certificate, key }
  // Made once: it holds a few hundred certificates.
  const secureContext = createSecureContext({ ca: [...authorities], ...client })
  const options = { headersTimeout: silenceMs, bodyTimeout: silenceMs, allowH2: false }
  const direct = new Agent({ ...options, connect: { secureContext, timeout: connectMs } })
  const httpsProxy = environment['HTTPS_PROXY'] ?? environment['https_proxy'] ?? ''
  // What is not on this machine is asked by HTTPS only.
  if (httpsProxy === '') return { direct, proxied: direct }
  const noProxy = environment['NO_PROXY'] ?? environment['no_proxy'] ?? ''
  return {
    direct,
    proxied: new EnvHttpProxyAgent({
      ...options,
      httpProxy: httpsProxy,
      httpsProxy,
      noProxy,
      requestTls: { secureContext },
      connect: { secureContext, timeout: connectMs },
    }),
  }
}
