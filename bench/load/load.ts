import { performance } from 'node:perf_hooks'
import { BasaltError } from '../../src/errors.ts'
import { type Address, HttpConnection, type Outcome } from './http-connection.ts'
import { type LoadReport, latencyOf } from './load-report.ts'
import { isMixed, StampSequence, stampsOf } from './stamp-sequence.ts'

export interface LoadOptions {
  /** An http URL on a loopback address. */
  readonly url: string
  /** The Host header; by default the URL's. */
  readonly host?: string
  /** Requests a second, all clients together; fewer when answers come too late. */
  readonly rate: number
  /** Clients that keep their connection. */
  readonly keepAlive: number
  /** Clients that open a connection for each request. */
  readonly newConnections: number
  /** Stops by itself after this time; undefined: when `stop` is called. */
  readonly durationMs?: number
  readonly timeoutMs: number
  /** Counts answers whose `x-stamp-*` headers differ from one another. */
  readonly expectSameStamp: boolean
}

export interface LoadRun {
  /** Lets requests in flight end, then reports. */
  stop(): Promise<LoadReport>
  /** The report, once the load has stopped. */
  readonly finished: Promise<LoadReport>
  /** Good answers so far. */
  answers(): number
}

/** Puts a constant load on a URL. Rejects what is not on a loopback address with `request.invalid`. */
export function startLoad(options: LoadOptions): LoadRun {
  const run = new Load(options)
  return { stop: () => run.stop(), finished: run.finished, answers: () => run.answers }
}

interface Client {
  readonly keepsAlive: boolean
  connection: HttpConnection | undefined
  dueMs: number
  busy: boolean
}

class Load {
  answers = 0
  readonly finished: Promise<LoadReport>
  readonly #options: LoadOptions
  readonly #address: Address
  readonly #requests: { readonly keepAlive: string; readonly close: string }
  readonly #clients: readonly Client[]
  readonly #latenciesMs: number[] = []
  readonly #failures = new Map<string, number>()
  readonly #sequence = new StampSequence()
  readonly #startedAt = performance.now()
  readonly #finish: (report: LoadReport) => void
  #sent = 0
  #mixed = 0
  #stopping = false
  #timer: NodeJS.Timeout

  constructor(options: LoadOptions) {
    const { promise, resolve } = Promise.withResolvers<LoadReport>()
    this.finished = promise
    this.#finish = resolve
    this.#options = options
    this.#address = loopbackAddress(options.url)
    this.#requests = requestsOf(options)
    const count = options.keepAlive + options.newConnections
    if (count === 0 || options.rate <= 0) throw invalid('a load needs a rate and at least one client')
    // Spread over one period, so that the load is constant and not a burst each period.
    this.#clients = Array.from({ length: count }, (_, index) => ({
      keepsAlive: index < options.keepAlive,
      connection: undefined,
      dueMs: (index * 1000) / options.rate,
      busy: false,
    }))
    this.#timer = setTimeout(() => this.#tick(), 1)
  }

  stop(): Promise<LoadReport> {
    this.#stopping = true
    return this.finished
  }

  #tick(): void {
    const nowMs = this.#now()
    const { durationMs, rate } = this.#options
    if (durationMs !== undefined && nowMs >= durationMs) this.#stopping = true
    if (this.#stopping) {
      this.#end()
      return
    }
    const periodMs = (this.#clients.length * 1000) / rate
    for (const client of this.#clients) {
      if (client.busy || client.dueMs > nowMs) continue
      // A client that is late skips what it missed: catching up would turn a stall into a burst.
      client.dueMs = Math.max(client.dueMs + periodMs, nowMs)
      void this.#ask(client)
    }
    this.#timer = setTimeout(() => this.#tick(), 1)
  }

  async #ask(client: Client): Promise<void> {
    client.busy = true
    this.#sent += 1
    const sentMs = this.#now()
    if (client.connection?.usable !== true) client.connection = new HttpConnection(this.#address)
    const request = client.keepsAlive ? this.#requests.keepAlive : this.#requests.close
    const outcome = await client.connection.send(request, this.#options.timeoutMs)
    this.#record(outcome, sentMs)
    if (!client.keepsAlive) client.connection.close()
    client.busy = false
  }

  #record(outcome: Outcome, sentMs: number): void {
    if (outcome.kind === 'failure') return this.#fail(outcome.failure)
    const { status, headers } = outcome.answer
    if (status < 200 || status >= 400) return this.#fail(`status ${status}`)
    const receivedMs = this.#now()
    this.answers += 1
    this.#latenciesMs.push(receivedMs - sentMs)
    const stamps = stampsOf(headers)
    this.#sequence.add(stamps, sentMs, receivedMs)
    if (this.#options.expectSameStamp && isMixed(stamps)) this.#mixed += 1
  }

  #fail(reason: string): void {
    this.#failures.set(reason, (this.#failures.get(reason) ?? 0) + 1)
  }

  #end(): void {
    clearTimeout(this.#timer)
    if (this.#clients.some((client) => client.busy)) {
      this.#timer = setTimeout(() => this.#end(), 1)
      return
    }
    for (const client of this.#clients) client.connection?.close()
    const durationMs = this.#now()
    this.#finish({
      schema: 'basalt.load/v1',
      requests: this.#sent,
      failed: this.#sent - this.answers,
      failures: Object.fromEntries(this.#failures),
      mixed: this.#mixed,
      durationMs: Math.round(durationMs),
      ratePerSecond: Math.round((this.#sent * 1000) / durationMs),
      latencyMs: latencyOf(this.#latenciesMs),
      periods: this.#sequence.periods(),
    })
  }

  #now(): number {
    return performance.now() - this.#startedAt
  }
}

const invalid = (message: string, remedy?: string): BasaltError =>
  new BasaltError('request.invalid', remedy === undefined ? { message } : { message, remedy })

function loopbackAddress(text: string): Address {
  const url = URL.parse(text)
  if (url?.protocol !== 'http:') throw invalid(`${text} is not an http URL`)
  const host = url.hostname === 'localhost' ? '127.0.0.1' : url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (host !== '::1' && !/^127\.\d+\.\d+\.\d+$/.test(host))
    throw invalid(
      `${url.hostname} is not a loopback address`,
      'The load generator only loads this machine: use 127.0.0.1.',
    )
  return { host, port: Number(url.port || 80) }
}

function requestsOf(options: LoadOptions): { readonly keepAlive: string; readonly close: string } {
  const url = new URL(options.url)
  const start = `GET ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${options.host ?? url.host}\r\n`
  const end = 'user-agent: basalt-load\r\naccept: */*\r\n\r\n'
  return { keepAlive: start + end, close: `${start}connection: close\r\n${end}` }
}
