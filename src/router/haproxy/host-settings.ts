import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import type { HaproxySettings } from './haproxy-config.ts'
import type { SlotCounts } from './slot-name.ts'

const defaultSlots: SlotCounts = { http: 512, tcp: 256 }

/** What HAProxy gets of this machine. */
export async function hostSettings(slots: SlotCounts = defaultSlots): Promise<Omit<HaproxySettings, 'user'>> {
  const read = (path: string) => readFile(path, 'utf8').catch(() => '')
  const [limits, ipv6] = await Promise.all([read('/proc/self/limits'), read('/proc/net/if_inet6')])
  return {
    slots,
    threads: Math.min(availableParallelism(), 4),
    maxConnections: maxConnections(limits),
    ipv6: ipv6 !== '',
  }
}

/** A connection needs two descriptors; checks and idle connections to instances need some too. */
export function maxConnections(limits: string): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? '1024'
  const descriptors = hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard)
  return Math.max(100, Math.min(20_000, Math.floor((descriptors - 2000) / 2.5)))
}
