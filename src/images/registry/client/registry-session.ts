import type { Readable } from 'node:stream'
import type { Op } from '../../../core/op.ts'
import { type Access, createAuthorization } from './authorization.ts'
import type { PlainSend } from './bearer-token.ts'
import type { CredentialSource } from './docker-credentials.ts'
import type { HttpAnswer, HttpRequest, HttpTransport } from './http-transport.ts'
import { readRemark } from './read-body.ts'
import { type RegistryAddress, registryAddress } from './registry-address.ts'
import { denied, refusalIn } from './registry-error.ts'
import { createRetrier, type Retrier, type RetrierPorts } from './retrier.ts'

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
export interface RegistrySession extends Pick<Retrier, 'pause'>, Pick<RegistryAddress, 'locate'> {
  /** As references name it. */
  readonly registry: string
  /**
   * Answers of any status that is for the caller to judge: credentials were given where they were asked for, what may
   * pass was tried again, redirects of GET and HEAD were followed. Rejects with `registry.unreachable`,
   * `registry.denied`, `registry.failed`, `request.interrupted`.
   */
  send(request: RegistryRequest): Promise<HttpAnswer>
}

export interface SessionPorts extends RetrierPorts {
  readonly transport: HttpTransport
  readonly credentials: CredentialSource
}

/** @param what begins errors: `docker.io/library/nginx:1.25` */
export function openSession(registry: string, what: string, ports: SessionPorts, op: Op): RegistrySession {
  const { transport, credentials } = ports
  const authorization = createAuthorization(registry, () => credentials.find(registry, op.signal))
  const address = registryAddress(registry, what, transport, op)
  const retrier = createRetrier(registry, what, ports, op)

  const plainSend: PlainSend = ({ body, ...request }) =>
    retrier.persist(async () => {
      const content = body === undefined ? {} : { body: body() }
      const answer = await transport.send({ ...request, ...content, signal: op.signal })
      return { answer, isOwn: true }
    })

  return {
    registry,
    pause: (failures, failure, answered) => retrier.pause(failures, failure, answered),
    locate: (location, from) => address.locate(location, from),
    async send({ method, path, access, headers = {}, body, once }) {
      let isOwn = true
      const exchange = async () => {
        const url = path instanceof URL ? path : await address.at(path)
        const request = { method, url, headers, ...(body === undefined ? {} : { body: body() }) }
        const exchanged = await address.exchange(request, authorization.header(access))
        isOwn = exchanged.isOwn
        return exchanged
      }
      for (let challenges = 0; ; challenges++) {
        const answer = await retrier.persist(exchange, once)
        const isForbidden = answer.status === 403 && (method === 'GET' || method === 'HEAD')
        if (answer.status !== 401 && !isForbidden) return answer
        const reason = refusalIn(await readRemark(answer)) ?? `it answered ${answer.status}`
        const challenge = answer.headers['www-authenticate']
        // A token may have run out on the way: the second answer to the same challenge counts. What another host asks
        // for is not given to it.
        if (!isOwn || isForbidden || challenge === undefined || challenges > 0) {
          const known = await credentials.find(registry, op.signal)
          throw denied(registry, what, reason, known !== null)
        }
        await authorization.challenged(challenge.toString(), access, what, plainSend)
      }
    },
  }
}
