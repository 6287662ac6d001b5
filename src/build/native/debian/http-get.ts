import type { Dispatcher } from 'undici'
import type { exec as realExec } from '../../../util/exec.ts'
import { replacedWhileRunning } from '../../../util/replaced-while-running.ts'

/** Fetches an address. Redirects are followed, bytes come as they were sent. Rejects when there is no answer. */
export type HttpGet = (url: string, signal: AbortSignal) => Promise<HttpAnswer>

export interface HttpAnswer {
  readonly status: number
  /** Must be read to its end or destroyed. */
  readonly body: AsyncIterable<Uint8Array>
}

const connectMs = 10_000
const silenceMs = 30_000

/** `proxyOf` gives the proxy for an address, or null for none. */
export function createHttpGet(proxyOf: (url: URL) => string | null): HttpGet {
  const dispatchers = new Map<string | null, Promise<Dispatcher>>()
  const dispatcherFor = (proxy: string | null): Promise<Dispatcher> => {
    const known = dispatchers.get(proxy) ?? createDispatcher(proxy)
    dispatchers.set(proxy, known)
    return known
  }
  return async (address, signal) => {
    const url = new URL(address)
    const dispatcher = await dispatcherFor(proxyOf(url))
    const { statusCode, body } = await dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'GET',
      headers: { 'user-agent': 'basalt' },
      signal,
    })
    return { status: statusCode, body }
  }
}

/** Undici is loaded by the first fetch: most servers never fetch, and it is a fifth of what they take to start. */
async function createDispatcher(proxy: string | null): Promise<Dispatcher> {
  // A CommonJS package in a bundle has its exports in `default` only.
  const { Agent, interceptors, ProxyAgent } = (
    await import('undici').catch(replacedWhileRunning('HTTP client'))
  ).default
  const options = {
    connectTimeout: connectMs,
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    // As apt does; nothing here gains by many requests on one connection.
    allowH2: false,
  }
  const agent =
    proxy === null ? new Agent(options) : new ProxyAgent({ uri: proxy, proxyTunnel: false, ...options })
  return agent.compose(
    // A status that stays bad is an answer like others: the caller says what it was.
    interceptors.retry({ maxRetries: 2, minTimeout: 300, methods: ['GET'], throwOnError: false }),
    interceptors.redirect({ maxRedirections: 5 }),
  )
}

/** The proxies that apt uses (apt-transport-http(1)): one for a host before one for all, `DIRECT` for none. */
export function aptProxies(aptConfigDump: string, environment: Readonly<Record<string, string | undefined>>) {
  const settings = new Map<string, string>()
  for (const [, key = '', value = ''] of aptConfigDump.matchAll(/^(Acquire::https?::Proxy\S*) "(.*)";$/gim)) {
    settings.set(key.toLowerCase(), value)
  }
  return (url: URL): string | null => {
    const scheme = url.protocol.slice(0, -1)
    const configured =
      settings.get(`acquire::${scheme}::proxy::${url.hostname}`) ?? settings.get(`acquire::${scheme}::proxy`)
    const proxy = configured ?? environment[`${scheme}_proxy`]
    return proxy === undefined || proxy === '' || proxy.toUpperCase() === 'DIRECT' ? null : proxy
  }
}

/** What apt is told about proxies; nothing where there is no apt. */
export const readAptConfig = (exec: typeof realExec): Promise<string> =>
  exec('apt-config', ['dump']).then(
    (result) => result.stdout,
    () => '',
  )
