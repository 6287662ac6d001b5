import { existsSync, readFileSync } from 'node:fs'
import { arch } from 'node:os'
import type { HostFacts } from './bundle/bundle.ts'

const version1Swap = '/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes'
const version2 = '/sys/fs/cgroup/cgroup.controllers'

/** What bundles have to know of this machine. */
export const readHostFacts = (): HostFacts => ({
  architecture: arch() === 'arm64' ? 'arm64' : 'amd64',
  swapAccounting: existsSync(version1Swap) || existsSync(version2),
  openFiles: openFilesLimit(readFileSync('/proc/self/limits', 'utf8')),
})

/** The hard limit of proc_pid_limits(5). */
export function openFilesLimit(limits: string): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? '1024'
  return hard === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(hard)
}
