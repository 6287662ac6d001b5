import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type DockerdProcess,
  dockerClient,
  dockerdProgram,
  startDockerd,
} from '../../util/dockerd-process.fixture.ts'
import { exec } from '../../util/exec.ts'

/** A Docker Engine of a test's own: with data, sockets and cgroups of its own, without a bridge of its own. */
export interface Dockerd extends DockerdProcess {
  /** Runs the command line tool; resolves with the lines that it printed. */
  run(...args: readonly string[]): Promise<readonly string[]>
}

export interface DockerdOptions {
  /** A program that runs it, with its arguments: `nsenter --net=…`. */
  readonly prefix?: readonly string[]
  /** Whether it sets the packet filter of its network namespace up; left alone unless told. */
  readonly iptables?: boolean
  /** Containers go on while it is stopped. */
  readonly liveRestore?: boolean
}

/** Why there can be none here, or null. */
export const dockerdMissing = (): string | null =>
  process.getuid?.() !== 0
    ? 'needs root'
    : [dockerdProgram, dockerClient, '/bin/busybox'].every((file) => existsSync(file))
      ? null
      : 'needs dockerd: apt-get install --no-install-recommends docker.io busybox-static'

export async function openDockerd(options: DockerdOptions = {}): Promise<Dockerd> {
  const { prefix = [], iptables = false, liveRestore = false } = options
  const folder = mkdtempSync(join(tmpdir(), 'basalt-dockerd-'))
  const engine = await startDockerd({
    folder,
    cgroup: `basalt-dockerd-${folder.slice(-6)}`,
    prefix,
    settings: {
      bridge: 'none',
      'ip-forward': false,
      iptables,
      ip6tables: false,
      'shutdown-timeout': 5,
      'live-restore': liveRestore,
    },
  })
  return Object.assign(engine, {
    async run(...args: readonly string[]) {
      const words = ['--host', `unix://${engine.socketPath}`, ...args]
      const { stdout, stderr, exitCode } = await exec(dockerClient, words)
      if (exitCode !== 0) throw new Error(`docker ${args[0]}: ${stderr}`)
      return stdout.split('\n').filter((line) => line !== '')
    },
  })
}
