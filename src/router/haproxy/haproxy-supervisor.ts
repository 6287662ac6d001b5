import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { BasaltError } from '../../errors.ts'
import { execOrThrow } from '../../util/exec.ts'
import { createMutex } from '../../util/mutex.ts'
import { identityText, isRunning, type ProcessIdentity } from '../../util/process-identity.ts'
import { watchNftTable } from '../../util/watch-nft-table.ts'
import type { EntryPort } from '../router.ts'
import type { RouterLauncher } from '../router-launcher.ts'
import type { RouterNetwork } from '../router-network.ts'
import { freeListeners } from './free-listeners.ts'
import { files, type HaproxySettings } from './haproxy-config.ts'
import { type HaproxyProcess, readProcess, startHaproxy, stopHaproxy } from './haproxy-process.ts'
import { connectHaproxy, type HaproxySocket, isLost } from './haproxy-socket.ts'
import { holdPort } from './held-port.ts'
import { createHeldPorts, type HeldPorts } from './held-ports.ts'
import { removeRules, renderRules } from './nft-rules.ts'
import type { RouterState } from './router-state.ts'
import { endStrays } from './stray-haproxy.ts'

export interface Running {
  readonly process: HaproxyProcess
  readonly socket: HaproxySocket
}

export interface SupervisorOptions {
  readonly folder: string
  readonly network: RouterNetwork
  readonly launcher: RouterLauncher
  readonly random: () => number
  readonly settings: Omit<HaproxySettings, 'user'>
  /** What HAProxy has to do whenever it starts. */
  readonly state: () => RouterState
  /** Called with a HAProxy of an earlier server, before anything else is asked of it. */
  readonly adopted: (running: Running) => Promise<void>
  /** Told of what goes wrong while nobody waits. */
  readonly report: (error: BasaltError) => void
}

/** Longer than a server with many instances needs to have them again. */
const rulesAfterMs = 500
const retryDelaysMs = [50, 100, 250, 500, 1000, 2000, 5000]

/** Keeps the one HAProxy of a home running, and the redirections to it in force. */
export class HaproxySupervisor {
  readonly #options: SupervisorOptions
  readonly #held: HeldPorts
  readonly #closing = new AbortController()
  /** Looking for HAProxy, starting and ending it: one at a time. */
  readonly #mutex = createMutex()
  #running: Running | null = null
  /** What was set last, by this server; null where it is not known what is in force. */
  #rules: string | null = null
  /** Rules are made and set by one at a time, so that the last ones in force are the newest. */
  readonly #rulesMutex = createMutex()
  #endWatch: (() => Promise<void>) | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#held = createHeldPorts(options.settings.ipv6)
  }

  /** The HAProxy that runs, or the one of an earlier server; null when none does. */
  async find(): Promise<Running | null> {
    return this.#running ?? (await this.#mutex.run(() => this.#adopt()))
  }

  /** Like `find`, but starts one from the state when none runs. */
  async ensure(): Promise<Running> {
    return (
      this.#running ?? (await this.#mutex.run(async () => (await this.#adopt()) ?? (await this.#start())))
    )
  }

  /** Ends it and starts it anew from the state: for when nothing is served. */
  restart(): Promise<Running> {
    return this.#mutex.run(async () => {
      const found = await this.#adopt()
      if (found !== null) {
        this.#running = null
        found.socket.close()
        await stopHaproxy(found.process.identity)
      }
      return await this.#start()
    })
  }

  /** Keeps entry ports that HAProxy did not bind from others. Rejects with `port.taken`. */
  hold(ports: readonly EntryPort[]): Promise<void> {
    return this.#hold(this.#running?.process, ports)
  }

  /** Puts the redirections in force that the state asks for. */
  async applyRules(): Promise<void> {
    await this.#rule((await this.ensure()).process)
  }

  /** Lets HAProxy run on alone. */
  close(): void {
    this.#closing.abort()
    this.#running?.socket.close()
    void this.#endWatch?.()
    void this.#held.release()
  }

  /** Ends HAProxy and removes the redirections. */
  async shutdown(): Promise<void> {
    this.close()
    await this.#endWatch?.()
    await this.#mutex.run(async () => {
      this.close()
      await endStrays(this.#options.folder)
      await this.#options.launcher.clear()
      await this.#nft(
        'the redirections to the router could not be removed',
        removeRules(this.#options.network),
      )
    })
  }

  async #adopt(): Promise<Running | null> {
    if (this.#running !== null) return this.#running
    const { folder, adopted, state, report } = this.#options
    const process = await readProcess(folder)
    if (process === null || !(await isRunning(process.identity))) {
      await endStrays(folder)
      return null
    }
    try {
      return await this.#connect(process, async (found) => {
        await adopted(found)
        for (const late of latePorts(state(), process))
          await this.#hold(process, [late]).catch(reportTo(report))
        this.#ruleSoon()
      })
    } catch (error) {
      if (!isLost(error)) throw error
      // It runs, yet does not answer: of no use to anybody.
      await stopHaproxy(process.identity)
      return null
    }
  }

  async #start(): Promise<Running> {
    const { folder, network, launcher, random } = this.#options
    const settings = { ...this.#options.settings, user: await launcher.user() }
    const before = await readProcess(folder)
    await this.#held.release()
    const state = this.#options.state()
    const entryPorts = await this.#bindable(state.entryPorts)
    const avoid = new Set(state.entryPorts.map(({ port }) => port))
    const listeners = await freeListeners(before?.listeners, avoid, settings.ipv6, random)
    const process = await startHaproxy(folder, { network, settings, listeners, entryPorts, state }, launcher)
    return await this.#connect(process, () => this.#rule(process))
  }

  /** One port that another program took must not keep all the others from being served. */
  async #bindable(entryPorts: readonly EntryPort[]): Promise<readonly EntryPort[]> {
    const free: EntryPort[] = []
    for (const entry of entryPorts)
      try {
        await (await holdPort(entry.port, this.#options.settings.ipv6)).release()
        free.push(entry)
      } catch (error) {
        reportTo(this.#options.report)(error)
      }
    return free
  }

  async #connect(process: HaproxyProcess, prepare: (found: Running) => Promise<void>): Promise<Running> {
    const found = { process, socket: await connectHaproxy(join(this.#options.folder, files.socket)) }
    this.#rules = null
    try {
      await prepare(found)
    } catch (error) {
      found.socket.close()
      throw error
    }
    this.#running = found
    if (!this.#closing.signal.aborted) this.#endWatch ??= this.#watchRules()
    void found.socket.closed.then(async () => {
      if (this.#running !== found) return
      this.#running = null
      await this.#recover(process.identity)
    })
    return found
  }

  /** HAProxy died, or only the conversation ended: whichever it was, there is one afterwards. */
  async #recover(lost: ProcessIdentity): Promise<void> {
    for (let attempt = 0; !this.#closing.signal.aborted; attempt++) {
      try {
        const { identity } = (await this.ensure()).process
        if (identityText(identity) !== identityText(lost)) this.#options.report(restarted(lost, identity))
        return
      } catch (error) {
        reportTo(this.#options.report)(error)
      }
      const delayMs = retryDelaysMs[Math.min(attempt, retryDelaysMs.length - 1)]
      await sleep(delayMs, undefined, { signal: this.#closing.signal }).catch(() => {})
    }
  }

  #hold(process: HaproxyProcess | undefined, ports: readonly EntryPort[]): Promise<void> {
    const bound = new Set(process?.entryPorts.map(({ port }) => port))
    return this.#held.hold(ports.map(({ port }) => port).filter((port) => !bound.has(port)))
  }

  /** Every switch asks for it, and must not wait for `nft` where nothing changes. */
  #rule(process: HaproxyProcess): Promise<void> {
    return this.#rulesMutex.run(async () => {
      const { network, state } = this.#options
      const rules = renderRules(network, process.listeners, latePorts(state(), process))
      if (rules === this.#rules) return
      this.#rules = null
      await this.#nft('the redirections to the router could not be set', rules)
      this.#rules = rules
    })
  }

  /**
   * Those of the server before are in force; only if it ended between its record and its rules are they not the same.
   * To set them takes longer than all else that an adoption needs, and somebody waits for that.
   */
  #ruleSoon(): void {
    const { signal } = this.#closing
    void sleep(rulesAfterMs, undefined, { signal, ref: false })
      .then(() => this.applyRules())
      .catch((error: unknown) => (signal.aborted ? undefined : reportTo(this.#options.report)(error)))
  }

  #watchRules(): () => Promise<void> {
    const { network, report } = this.#options
    return watchNftTable({
      table: network.table,
      restore: () => {
        this.#rules = null
        return this.applyRules()
      },
      report,
    })
  }

  #nft(purpose: string, input: string): Promise<unknown> {
    return execOrThrow('network.setup-failed', purpose, 'nft', ['-f', '-'], { input })
  }
}

/** Entry ports that HAProxy did not bind, or not for this protocol. */
export const latePorts = (state: RouterState, process: HaproxyProcess): readonly EntryPort[] =>
  state.entryPorts.filter(
    ({ port, protocol }) =>
      !process.entryPorts.some((bound) => bound.port === port && bound.protocol === protocol),
  )

const restarted = (lost: ProcessIdentity, now: ProcessIdentity): BasaltError =>
  new BasaltError('router.restarted', {
    message: `HAProxy (pid ${lost.pid}) ended; another one (pid ${now.pid}) was started, and all routes are in force again`,
    remedy:
      'Connections that were open are lost. The kernel log says whether memory ran out: dmesg | grep -i oom',
    details: { endedPid: lost.pid, pid: now.pid },
  })

const reportTo =
  (report: (error: BasaltError) => void) =>
  (error: unknown): void =>
    report(
      error instanceof BasaltError
        ? error
        : new BasaltError('internal.bug', { message: `the router failed: ${String(error)}`, cause: error }),
    )
