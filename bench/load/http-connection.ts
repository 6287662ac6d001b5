import { connect, type Socket } from 'node:net'

/** Why a request got no good answer. */
export type Failure =
  | 'connection refused'
  | 'connection reset'
  | 'connection closed before the answer'
  | 'connection closed within the answer'
  | 'timeout'
  | 'malformed answer'
  | 'other network error'

export interface Answer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>
  readonly bodyBytes: number
}

export type Outcome =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'failure'; readonly failure: Failure }

export interface Address {
  readonly host: string
  readonly port: number
}

interface Waiting {
  readonly settle: (outcome: Outcome) => void
  readonly timer: NodeJS.Timeout
}

/**
 * One HTTP/1.1 connection that asks one thing at a time. A bare socket, because a load generator must not cost
 * more than what it measures, and because it must see a close or a reset that a client library would mend.
 */
export class HttpConnection {
  readonly #socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #head: { readonly answer: Answer; readonly bodyStart: number; readonly length: BodyLength } | undefined
  #waiting: Waiting | undefined
  #usable = true

  constructor(address: Address) {
    this.#socket = connect({ ...address, noDelay: true })
    this.#socket.on('data', (chunk) => this.#receive(chunk))
    this.#socket.on('end', () => this.#ended())
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#finish(failureOf(error)))
    this.#socket.on('close', () => this.#finish(this.#closedFailure()))
  }

  /** False once the peer has closed it or asked to: the next request needs a new connection. */
  get usable(): boolean {
    return this.#usable
  }

  /** Never rejects. */
  send(request: string, timeoutMs: number): Promise<Outcome> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#finish('timeout'), timeoutMs)
      this.#waiting = { settle: resolve, timer }
      this.#socket.write(request)
    })
  }

  close(): void {
    this.#usable = false
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    if (this.#waiting === undefined) {
      // Bytes that nobody asked for: an error that the server sends before it closes an idle connection.
      this.close()
      return
    }
    try {
      this.#parse()
    } catch {
      this.#finish('malformed answer')
    }
  }

  #parse(): void {
    this.#head ??= parseHead(this.#received)
    if (this.#head === undefined) return
    const { answer, bodyStart, length } = this.#head
    const end = bodyEnd(this.#received, bodyStart, length)
    if (end === undefined) return
    if (end < this.#received.length) throw new RangeError('bytes after the answer')
    this.#answer({ ...answer, bodyBytes: end - bodyStart })
  }

  #ended(): void {
    if (this.#head?.length.kind === 'until-close')
      this.#answer({ ...this.#head.answer, bodyBytes: this.#received.length - this.#head.bodyStart })
    else this.#finish(this.#closedFailure())
  }

  #answer(answer: Answer): void {
    if (answer.headers.get('connection')?.toLowerCase() === 'close') this.close()
    this.#received = Buffer.alloc(0)
    this.#head = undefined
    this.#settle({ kind: 'answer', answer })
  }

  #finish(failure: Failure): void {
    this.close()
    this.#settle({ kind: 'failure', failure })
  }

  #settle(outcome: Outcome): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    clearTimeout(waiting.timer)
    waiting.settle(outcome)
  }

  #closedFailure(): Failure {
    return this.#received.length === 0
      ? 'connection closed before the answer'
      : 'connection closed within the answer'
  }
}

type BodyLength =
  | { readonly kind: 'bytes'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' }

function failureOf(error: NodeJS.ErrnoException): Failure {
  if (error.code === 'ECONNREFUSED') return 'connection refused'
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return 'connection reset'
  return 'other network error'
}

/** RFC 9112, sections 4 and 5. Throws on what is no HTTP/1.1 answer; undefined: not all there yet. */
function parseHead(
  received: Buffer,
): { readonly answer: Answer; readonly bodyStart: number; readonly length: BodyLength } | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [statusLine = '', ...lines] = received.toString('latin1', 0, end).split('\r\n')
  const match = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(statusLine)
  if (match === null) throw new RangeError('not a status line')
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon <= 0) throw new RangeError('not a header')
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
  const answer = { status: Number(match[1]), headers, bodyBytes: 0 }
  return { answer, bodyStart: end + 4, length: bodyLength(answer.status, headers) }
}

function bodyLength(status: number, headers: ReadonlyMap<string, string>): BodyLength {
  if (status === 204 || status === 304) return { kind: 'bytes', bytes: 0 }
  if (headers.get('transfer-encoding')?.toLowerCase() === 'chunked') return { kind: 'chunked' }
  const length = headers.get('content-length')
  if (length === undefined) return { kind: 'until-close' }
  if (!/^\d+$/.test(length)) throw new RangeError('not a length')
  return { kind: 'bytes', bytes: Number(length) }
}

/** Where the body ends, or undefined when it is not all there yet. Trailers are not read (RFC 9112, 7.1). */
function bodyEnd(received: Buffer, start: number, length: BodyLength): number | undefined {
  if (length.kind === 'until-close') return undefined
  if (length.kind === 'bytes') {
    const end = start + length.bytes
    return received.length < end ? undefined : end
  }
  let position = start
  for (;;) {
    const lineEnd = received.indexOf('\r\n', position)
    if (lineEnd < 0) return undefined
    const size = Number.parseInt(received.toString('latin1', position, lineEnd), 16)
    if (Number.isNaN(size)) throw new RangeError('not a chunk size')
    position = lineEnd + 2 + size + 2
    if (received.length < position) return undefined
    if (size === 0) return position
  }
}
