import { readFileSync } from 'node:fs'
import type { GroupSpec } from '../src/core/generation.ts'
import { groupSpec, httpHealth, type LocalWorld, op } from '../src/targets/local/local-target.fixture.ts'
import { timed } from './row.ts'

/** Longer than the pool of namespaces waits for a quiet moment and needs to fill up again. */
export const refillMs = 3000

const health = { ...httpHealth, path: '/passwd', intervalMs: 2000 } as typeof httpHealth

/** Instances of busybox httpd; another version is another group. */
export const webGroup = (world: LocalWorld, replicas: number, version: string): GroupSpec =>
  groupSpec(
    world.image,
    'web',
    {
      command: ['/bin/busybox', 'httpd', '-f', '-p', '8080', '-h', '/etc'],
      env: { VERSION: version },
      health,
    },
    { replicas },
  )

/** Milliseconds from the start command until every instance has answered its first 200; stops them afterwards. */
export async function timeStart(world: LocalWorld, spec: GroupSpec): Promise<number> {
  const took = await timed(() => world.target.start(spec, op()))
  await world.target.stop(spec.id, op())
  return took
}

/** Bytes beside an instance, given its first process: the runtime in the foreground and the shell that waits for it. */
export function keeperBytes(pid: number): number {
  const runtime = parentOf(pid)
  return [runtime, parentOf(runtime)].map(proportionalBytes).reduce((sum, bytes) => sum + bytes, 0)
}

/** A process's proportional set size: what it shares with others counts in parts (proc_pid_smaps(5)). */
export const proportionalBytes = (pid: number): number =>
  Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) * 1024

const parentOf = (pid: number): number =>
  Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
