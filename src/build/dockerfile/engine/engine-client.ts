import { once } from 'node:events'
import {
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  request as requestPlain,
} from 'node:http'
import { request as requestTls } from 'node:https'
import type { Duplex, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Op } from '../../../core/op.ts'
import { BasaltError } from '../../../errors.ts'
import type { EngineEndpoint } from './engine-endpoint.ts'
import { connectionError, engineRefused } from './engine-errors.ts'

type Query = Readonly<Record<string, string | undefined>>

export interface EngineRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly query?: Query
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: Readable
  /** For the message of an error: `the image could not be read`. */
  readonly purpose: string
}

/** The Engine's HTTP API (docs.docker.com/engine/api), as far as building needs it. */
export interface EngineClient {
  readonly endpoint: EngineEndpoint
  /** Rejects with `docker.unreachable`, `docker.forbidden` or, for every status from 400 on, `docker.failed`. */
  stream(request: EngineRequest, op: Abort): Promise<IncomingMessage>
  json(request: EngineRequest, op: Abort): Promise<unknown>
  /** A connection of its own that the Engine hands over. */
  hijack(request: EngineRequest, op: Abort): Promise<Duplex>
}

type Abort = Pick<Op, 'signal'>

export function createEngineClient(endpoint: EngineEndpoint): EngineClient {
  const open = (asked: EngineRequest, op: Abort): ClientRequest => {
    const options: RequestOptions = {
      ...addressOf(endpoint),
      method: asked.method,
      path: `${asked.path}${queryOf(asked.query ?? {})}`,
      headers: { host: 'docker', ...asked.headers },
      agent: false,
      signal: op.signal,
    }
    return endpoint.kind === 'tcp' && endpoint.tls !== null
      ? requestTls({ ...options, ...endpoint.tls })
      : requestPlain(options)
  }
  const translated = (cause: unknown, op: Abort): unknown =>
    op.signal.aborted
      ? new BasaltError('request.interrupted', { message: 'the build was interrupted', cause })
      : connectionError(endpoint, cause)

  async function stream(asked: EngineRequest, op: Abort): Promise<IncomingMessage> {
    const question = open(asked, op)
    const answered = once(question, 'response') as Promise<[IncomingMessage]>
    answered.catch(() => {})
    let bodyFailure: unknown
    if (asked.body === undefined) question.end()
    // An Engine may refuse before it has read everything: its answer counts then, not the broken pipe.
    else pipeline(asked.body, question).catch((cause: unknown) => (bodyFailure = cause))
    const [answer] = await answered.catch((cause: unknown) => {
      throw bodyFailure instanceof BasaltError ? bodyFailure : translated(cause, op)
    })
    const status = answer.statusCode ?? 500
    if (status >= 400) throw engineRefused(asked.purpose, status, messageIn(await textOf(answer)))
    return answer
  }

  return {
    endpoint,
    stream,
    async json(asked, op) {
      const text = await textOf(await stream(asked, op)).catch((cause: unknown) => {
        throw translated(cause, op)
      })
      return text === '' ? null : (JSON.parse(text) as unknown)
    },
    async hijack(asked, op) {
      const question = open(asked, op)
      const upgraded = once(question, 'upgrade') as Promise<[IncomingMessage, Duplex, Buffer]>
      const refused = (once(question, 'response') as Promise<[IncomingMessage]>).then(async ([answer]) => {
        throw engineRefused(asked.purpose, answer.statusCode ?? 500, messageIn(await textOf(answer)))
      })
      for (const outcome of [upgraded, refused]) outcome.catch(() => {})
      question.end()
      const [, connection, head] = await Promise.race([upgraded, refused]).catch((cause: unknown) => {
        throw translated(cause, op)
      })
      if (head.length > 0) connection.unshift(head)
      return connection
    },
  }
}

const addressOf = (endpoint: EngineEndpoint): RequestOptions =>
  endpoint.kind === 'socket' ? { socketPath: endpoint.path } : { host: endpoint.host, port: endpoint.port }

function queryOf(query: Query): string {
  const words = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) words.set(name, value)
  return words.size === 0 ? '' : `?${words.toString()}`
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** The Engine's errors are `{"message": …}`. */
function messageIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown }
    if (typeof message === 'string') return message.trim()
  } catch {
    // It said it in plain words.
  }
  return text.trim()
}
