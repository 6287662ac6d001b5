import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dockerClient, dockerdProgram, startDockerd } from '../src/util/dockerd-process.fixture.ts'

/** A Docker Engine of a test's own that pulls and pushes, and runs nothing: it has no network of its own. */
export interface DockerEngine {
  /** Runs the command line tool; resolves with all that it printed, rejects with the same. */
  docker(...args: readonly string[]): string
  /** Gives a command's standard input. */
  dockerWith(input: Buffer | string, ...args: readonly string[]): string
  close(): Promise<void>
}

/** Why there can be no engine here, or null. */
export const dockerMissing = (): string | null =>
  process.getuid?.() === 0 && [dockerdProgram, dockerClient].every((file) => existsSync(file))
    ? null
    : 'needs root and dockerd: apt-get install --no-install-recommends docker.io'

export async function openDockerEngine(): Promise<DockerEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'basalt-docker-'))
  const settings = join(folder, 'client')
  mkdirSync(settings)
  const engine = await startDockerd({
    folder,
    cgroup: `basalt-docker-${folder.slice(-6)}`,
    // In a mount namespace of its own, so that no mount is left.
    prefix: ['unshare', '--mount', '--propagation', 'private'],
    settings: { bridge: 'none', iptables: false, 'ip-forward': false, 'ip-masq': false },
  })
  const dockerWith = (input: Buffer | string, ...args: readonly string[]): string =>
    execFileSync(dockerClient, ['--host', `unix://${engine.socketPath}`, '--config', settings, ...args], {
      encoding: 'utf8',
      input,
      stdio: 'pipe',
      timeout: 300_000,
      maxBuffer: 2 ** 30,
    })
  return { docker: (...args) => dockerWith('', ...args), dockerWith, close: () => engine.close() }
}
