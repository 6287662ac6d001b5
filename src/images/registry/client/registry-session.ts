import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import { type Access, createAuthorization } from './authorization.ts'
import type { CredentialSource } from './docker-credentials.ts'
import { isAllowed, isLoopback, registryHost } from './endpoint.ts'
import type { HttpAnswer, HttpRequest, HttpTransport } from './http-transport.ts'
import { readRemark } from './read-body.ts'
import { denied, failed, isUntrusted, networkCode, refusalIn, unreachable } from './registry-error.ts'
import { isPassing, mayPass, waitMs } from './retry-wait.ts'

export interface RegistryRequest {
  readonly method: HttpRequest['method']
  /** Below `/v2/`; or an address that the registry gave. */
  readonly path: string | URL
  readonly access: Access
  readonly headers?: Readonly<Record<string, string>>
  /** Made anew for each attempt. */
  readonly body?: () => Buffer | Readable
  /** What breaks off is not sent again, as half of it may have been taken: any status is then for the caller. */
  readonly once?: true
}

/** Talks to one registry for one operation. */
export interface RegistrySession {
  /** As references name it. */
  readonly registry: string
  /**
   * Answers of any status that is for the caller to judge: credentials were given where they were asked for, what may
   * pass was tried again, redirects of GET and HEAD were followed. Rejects with `registry.unreachable`,
   * `registry.denied`, `registry.failed`, `request.interrupted`.
   */
  send(request: RegistryRequest): Promise<HttpAnswer>
  /** Where an address leads that the registry gave in `Location`. Throws `registry.failed` for one that is not safe. */
  locate(location: string | undefined, from: URL | string): Promise<URL>
  /**
   * Waits before another attempt after so many failures in a row, as long as the headers of an answer ask for; rejects
   * with the failure when it was the last.
   */
  pause(failures: number, failure: unknown, headers?: IncomingHttpHeaders): Promise<void>
}

export interface SessionPorts {
  readonly transport: HttpTransport
  readonly credentials: CredentialSource
  /** Rejects when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

const maxRedirects = 5
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** @param what begins errors: `nginx:1.25` */
export function openSession(registry: string, what: string, ports: SessionPorts, op: Op): RegistrySession {
  const authorization = createAuthorization(registry, () => ports.credentials.find(registry, op.signal))
  let hasAnswered = false
  let base: Promise<URL> | undefined
  const baseUrl = (): Promise<URL> => (base ??= findBase(registry, ports.transport, op))

  /** Redirects lead to other hosts, which get no credentials of ours. */
  const follow = async (request: Omit<HttpRequest, 'signal'>, header: string | null) => {
    const { origin } = await baseUrl()
    let { url } = request
    for (let hop = 0; hop <= maxRedirects; hop++) {
      const isOwn = url.origin === origin
      const { authorization: _, ...others } = request.headers
      const headers = isOwn && header !== null ? { ...others, authorization: header } : request.headers
      const answer = await ports.transport.send({ ...request, url, headers, signal: op.signal })
      hasAnswered = true
      const mayFollow = request.method === 'GET' || request.method === 'HEAD'
      if (!mayFollow || !redirects.has(answer.status)) return { answer, isOwn }
      await readRemark(answer)
      url = await locate(answer.headers.location, url)
    }
    throw failed(registry, what, `redirects more than ${maxRedirects} times`)
  }

  const locate: RegistrySession['locate'] = async (location, from) => {
    const start = from instanceof URL ? from : new URL(`/v2/${from}`, await baseUrl())
    if (location === undefined || !URL.canParse(location, start.href))
      throw failed(registry, what, 'gave no address to go on at')
    const url = new URL(location, start)
    if (!isAllowed(url, registry))
      throw failed(registry, what, `leads to ${url.origin}, which is not asked by HTTPS`)
    return url
  }

  const pause: RegistrySession['pause'] = async (failures, failure, headers = {}) => {
    const ms = waitMs(failures, headers, ports.now())
    if (ms === null) throw failure
    op.notify?.({
      code: 'registry.retry',
      message: `${registry}: ${failure instanceof BasaltError ? failure.message : String(failure)}; again in ${Math.ceil(ms / 1000)} s`,
      data: { registry, failures },
    })
    await ports.sleep(ms, op.signal).catch(() => {
      throw interrupted(what, op)
    })
  }

  /** Until there is an answer that is not to pass by itself. */
  const persist = async (exchange: () => Promise<{ answer: HttpAnswer; isOwn: boolean }>, once = false) => {
    for (let failures = 1; ; failures++) {
      try {
        const { answer, isOwn } = await exchange()
        // Another host gave its address for a while only, and is asked for a new one by way of the registry.
        if (once || (!isPassing(answer.status) && (isOwn || answer.status < 400))) return answer
        const reason = refusalIn(await readRemark(answer))
        const failure = failed(
          registry,
          what,
          `answered ${answer.status}${reason === null ? '' : `: ${reason}`}`,
        )
        await pause(failures, failure, answer.headers)
      } catch (cause) {
        if (op.signal.aborted) throw interrupted(what, op)
        if (cause instanceof BasaltError) throw cause
        const failure = unreachable(registry, what, cause)
        if (once || isUntrusted(cause) || !mayPass(cause, hasAnswered)) throw failure
        await pause(failures, failure)
      }
    }
  }

  const plainSend = (request: Omit<HttpRequest, 'signal' | 'body'> & { body?: () => Buffer }) =>
    persist(async () => {
      const { body, ...rest } = request
      const answer = await ports.transport.send({
        ...rest,
        ...(body === undefined ? {} : { body: body() }),
        signal: op.signal,
      })
      return { answer, isOwn: true }
    })

  return {
    registry,
    locate,
    pause,
    async send({ method, path, access, headers = {}, body, once }) {
      const exchange = async () => {
        const url = path instanceof URL ? path : new URL(`/v2/${path}`, await baseUrl())
        const request = { method, url, headers, ...(body === undefined ? {} : { body: body() }) }
        return follow(request, authorization.header(access))
      }
      for (let challenges = 0; ; challenges++) {
        const answer = await persist(exchange, once)
        const isRead = method === 'GET' || method === 'HEAD'
        if (answer.status !== 401 && !(answer.status === 403 && isRead)) return answer
        const reason = refusalIn(await readRemark(answer)) ?? `it answered ${answer.status}`
        const challenge = answer.headers['www-authenticate']
        // A token may have run out on the way: the second answer to the same challenge counts.
        if (answer.status === 403 || challenge === undefined || challenges > 0) {
          const known = await ports.credentials.find(registry, op.signal)
          throw denied(registry, what, reason, known !== null)
        }
        await authorization.challenged(challenge.toString(), access, what, plainSend)
      }
    },
  }
}

/** On this machine a registry may have no certificate; whether it has one is found out by asking, as Docker does. */
async function findBase(registry: string, transport: HttpTransport, op: Op): Promise<URL> {
  const secure = new URL(`https://${registryHost(registry)}`)
  if (!isLoopback(secure.hostname)) return secure
  const request = { method: 'GET', headers: {}, signal: op.signal } as const
  try {
    await readRemark(await transport.send({ ...request, url: new URL('/v2/', secure) }))
    return secure
  } catch (cause) {
    if (op.signal.aborted || isUntrusted(cause) || networkCode(cause) === 'ECONNREFUSED') return secure
    return new URL(`http://${registry}`)
  }
}

const interrupted = (what: string, { signal }: Op): BasaltError =>
  new BasaltError('request.interrupted', { message: `${what}: interrupted`, cause: signal.reason })
