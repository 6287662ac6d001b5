import type { ClientRequest, IncomingMessage } from 'node:http'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { WireError } from '../../engine/engine.ts'
import { BasaltError } from '../../errors.ts'
import { asRoot } from '../../server/home.ts'
import { apiHeader, apiVersion, ndjsonType, type StreamLine, versionHeader } from '../../server/protocol.ts'
import { fromWireError } from '../../server/wire-error.ts'
import { version } from '../../util/version.ts'
import { readLines } from './read-lines.ts'

/**
 * Not by `import`: that reads every export of the module once, among them WebSocket, for which Node loads all of
 * undici. 35 ms of a command's start.
 */
const { Agent, request } = process.getBuiltinModule('node:http')

export interface Ask {
  readonly method: 'GET' | 'POST'
  /** With its query, under `/v1`. */
  readonly path: string
  readonly body?: unknown
  /** Sent as it is, in place of `body`. */
  readonly upload?: { readonly type: string; readonly content: Readable }
  readonly accept?: string
  readonly signal?: AbortSignal
}

/**
 * HTTP to the server over its unix socket. One connection is kept open, so that the server needs to find out
 * only once who is asking. What comes back is trusted: it is from our own server, of an API version that it has
 * confirmed to speak.
 */
export class Connection {
  readonly #socketPath: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 })

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  close(): void {
    this.#agent.destroy()
  }

  async json<Result>(ask: Ask): Promise<Result> {
    const response = await this.#open(ask)
    return JSON.parse(await text(response)) as Result
  }

  /** A call whose progress is told while it works. */
  async progress<Item, Result>(ask: Ask, onItem: (item: Item) => void): Promise<Result> {
    const response = await this.#open({ ...ask, accept: ndjsonType })
    for await (const line of streamLines<Item, Result>(response, ask, this.#socketPath)) {
      if (line.type === 'item') onItem(line.item)
      else if (line.type === 'result') return line.result
    }
    throw lostConnection(ask)
  }

  async *items<Item>(ask: Ask): AsyncGenerator<Item> {
    const response = await this.#open({ ...ask, accept: ndjsonType })
    for await (const line of streamLines<Item, never>(response, ask, this.#socketPath))
      if (line.type === 'item') yield line.item
  }

  /** Ends with an error unless every byte has come. */
  async *bytes(ask: Ask): AsyncGenerator<Uint8Array> {
    const response = await this.#open(ask)
    try {
      for await (const chunk of response) yield chunk as Uint8Array
    } catch (error) {
      throw fromConnection(error, ask, this.#socketPath)
    }
    if (!response.complete) throw lostConnection(ask)
  }

  async #open(ask: Ask): Promise<IncomingMessage> {
    const response = await this.#send(ask)
    if ((response.statusCode ?? 0) < 400) return response
    const body = await text(response)
    throw fromWireError(parseError(body, response.statusCode))
  }

  #send(ask: Ask): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const call: ClientRequest = request({
        socketPath: this.#socketPath,
        agent: this.#agent,
        method: ask.method,
        path: `/v1${ask.path}`,
        headers: headersOf(ask),
        ...(ask.signal === undefined ? {} : { signal: ask.signal }),
      })
      call.on('response', resolve)
      call.on('error', (error) => reject(fromConnection(error, ask, this.#socketPath)))
      if (ask.upload !== undefined) {
        // Not by way of the call's own errors: ENOENT there means that there is no socket.
        ask.upload.content.on('error', (error) => {
          reject(error)
          call.destroy()
        })
        ask.upload.content.pipe(call)
      } else call.end(ask.body === undefined ? undefined : JSON.stringify(ask.body))
    })
  }
}

function headersOf(ask: Ask): Record<string, string> {
  const type = ask.upload?.type ?? (ask.body === undefined ? undefined : 'application/json')
  return {
    host: 'basalt',
    [apiHeader]: String(apiVersion),
    [versionHeader]: version,
    ...(type === undefined ? {} : { 'content-type': type }),
    ...(ask.accept === undefined ? {} : { accept: ask.accept }),
  }
}

async function* streamLines<Item, Result>(
  response: IncomingMessage,
  ask: Ask,
  socketPath: string,
): AsyncGenerator<StreamLine<Item, Result>> {
  try {
    for await (const line of readLines(response)) {
      const parsed = JSON.parse(line) as StreamLine<Item, Result>
      if (parsed.type === 'error') throw fromWireError(parsed.error)
      yield parsed
    }
  } catch (error) {
    throw fromConnection(error, ask, socketPath)
  }
}

function parseError(body: string, status: number | undefined): WireError {
  try {
    const error = JSON.parse(body) as Partial<WireError>
    if (typeof error.code === 'string' && typeof error.message === 'string')
      return { remedy: null, details: {}, ...error, code: error.code, message: error.message }
  } catch {
    // Falls through: whatever answers there is not a Basalt server.
  }
  return {
    code: 'server.unreachable',
    message: `what answers on the socket is not a Basalt server (status ${status})`,
    remedy: 'Stop that program, or set another BASALT_HOME.',
    details: { reason: 'foreign' },
  }
}

const nobodyThere: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTDIR', 'EACCES'])

/** Errors of the connection in our words. Codes that `connect` needs to see are kept in `details.reason`. */
function fromConnection(error: unknown, ask: Ask, socketPath: string): Error {
  if (error instanceof BasaltError) return error
  if (ask.signal?.aborted) return new BasaltError('request.interrupted', { message: 'interrupted' })
  const reason = (error as NodeJS.ErrnoException).code ?? 'unknown'
  if (nobodyThere.has(reason))
    return new BasaltError('server.unreachable', {
      message: 'no Basalt server answers on the socket',
      remedy: `Start it: ${asRoot(dirname(socketPath), 'server start')}`,
      details: { reason },
      cause: error,
    })
  if (reason === 'ECONNRESET' || reason === 'EPIPE' || reason === 'ERR_STREAM_PREMATURE_CLOSE')
    return lostConnection(ask, error)
  return error instanceof Error ? error : lostConnection(ask, error)
}

const lostConnection = (ask: Ask, cause?: unknown): BasaltError =>
  new BasaltError('server.unreachable', {
    message: 'the connection to the server broke off before its answer was complete',
    remedy: 'See the end of server.log in the state folder, then run the command again.',
    details: { reason: 'lost', call: `${ask.method} ${ask.path}` },
    cause,
  })
