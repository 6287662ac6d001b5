import { setTimeout as sleep } from 'node:timers/promises'
import { BasaltError } from '../errors.ts'
import { execOrThrow } from './exec.ts'

export interface NftTableWatch {
  /** A table of family `inet`. */
  readonly table: string
  /** Sets it again. */
  readonly restore: () => Promise<unknown>
  /** Told of every loss, and of the first of several failures in a row. */
  readonly report: (error: BasaltError) => void
}

/** A look is one short process, which costs a server of a hundred megabytes ten milliseconds. */
const intervalMs = 15_000

/**
 * Sets a table of nftables again when somebody took it away: `nft flush ruleset`, which every restart of Debian's
 * nftables.service does. Returns the way to end it, which resolves when nothing is under way any more.
 */
export function watchNftTable({ table, restore, report }: NftTableWatch): () => Promise<void> {
  const ended = new AbortController()
  let failing = false

  const look = async (): Promise<void> => {
    try {
      if (!(await hasTable(table))) {
        await restore()
        report(lost(table))
      }
      failing = false
    } catch (cause) {
      if (!failing) report(notRestored(table, cause))
      failing = true
    }
  }
  const watching = (async () => {
    while (await pause(ended.signal)) await look()
  })()
  return async () => {
    ended.abort()
    await watching
  }
}

/** False when it was cut short. */
const pause = (signal: AbortSignal): Promise<boolean> =>
  sleep(intervalMs, true, { signal, ref: false }).catch(() => false)

async function hasTable(table: string): Promise<boolean> {
  const { stdout } = await execOrThrow('network.setup-failed', 'the tables could not be listed', 'nft', [
    'list',
    'tables',
    'inet',
  ])
  return stdout.split('\n').includes(`table inet ${table}`)
}

const lost = (table: string): BasaltError =>
  new BasaltError('network.rules-lost', {
    message: `another program removed the nftables table ${table}; it is set again`,
    remedy: 'Let that program replace its own tables only, rather than `flush ruleset`.',
    details: { table },
  })

const notRestored = (table: string, cause: unknown): BasaltError =>
  cause instanceof BasaltError
    ? cause
    : new BasaltError('network.setup-failed', {
        message: `the nftables table ${table} could not be set again: ${String(cause)}`,
        cause,
      })
