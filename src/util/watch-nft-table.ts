import { BasaltError } from '../errors.ts'
import { execOrThrow } from './exec.ts'
import { type HostSetting, watchHostSetting } from './watch-host-setting.ts'

export interface NftTableWatch extends Pick<HostSetting, 'restore' | 'report'> {
  /** A table of family `inet`. */
  readonly table: string
}

/**
 * Sets a table of nftables again when somebody took it away: `nft flush ruleset`, which every restart of Debian's
 * nftables.service does. Returns the way to end it, as `watchHostSetting` does.
 */
export const watchNftTable = ({ table, restore, report }: NftTableWatch): (() => Promise<void>) =>
  watchHostSetting({
    name: `the nftables table ${table}`,
    isInForce: () => hasTable(table),
    restore,
    lost: () => lost(table),
    report,
  })

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
