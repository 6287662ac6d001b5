import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BasaltError } from '../../../errors.ts'
import { coalesce } from '../../../util/coalesce.ts'
import type { InstancePaths } from '../local-paths.ts'
import type { OciRuntime } from '../runtime/oci-runtime.ts'

export interface KeeperRequest {
  readonly runtime: OciRuntime
  readonly paths: InstancePaths
  readonly runtimeState: string
  readonly instance: string
}

/**
 * Starts keepers: for each instance a shell that runs the OCI runtime in the foreground. It holds nothing but the log
 * file and survives the server; when the instance ends it leaves the exit code in a file.
 */
export interface KeeperLauncher {
  /** Resolves when the keeper runs; `paths.pidFile` and `paths.exitFile` tell the rest. */
  start(request: KeeperRequest): Promise<void>
}

/** In a session of its own, and gone as soon as all keepers run. */
const launch = 'for keeper; do sh "$keeper" & done'

/**
 * Keepers that are asked for at the same time are started by one shell: to start a process from a server costs ten
 * milliseconds and more, in which it does nothing else, because all that it has in memory is looked through.
 */
export function createKeeperLauncher(): KeeperLauncher {
  const waiting: string[] = []
  const launchWaiting = coalesce(async () => {
    const keepers = waiting.splice(0)
    const launcher = spawn('/bin/sh', ['-c', launch, 'launcher', ...keepers], {
      detached: true,
      cwd: '/',
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      stdio: 'ignore',
    })
    await new Promise<void>((resolve, reject) => {
      launcher.once('exit', () => resolve()).once('error', (cause) => reject(launchFailed(cause)))
    })
  })
  return {
    async start(request) {
      const { log, keeper } = request.paths
      await mkdir(dirname(log), { recursive: true, mode: 0o700 })
      // Here, where a failure can be told: the keeper has nobody to tell.
      await (await open(log, constants.O_WRONLY | constants.O_CREAT, 0o600)).close()
      await writeFile(keeper, keeperScript(request), { mode: 0o600 })
      waiting.push(keeper)
      await launchWaiting()
    },
  }
}

/** Appends to the log, so that it can be cut while the instance writes on. */
function keeperScript({ runtime, paths, runtimeState, instance }: KeeperRequest): string {
  const global = ['--root', runtimeState, '--log', paths.runtimeLog]
  const run = ['run', '--bundle', paths.folder, '--pid-file', paths.pidFile, instance]
  const exitFile = quoted(paths.exitFile)
  return [
    `exec >>${quoted(paths.log)} 2>&1`,
    runtime
      .command([...global, ...run])
      .map(quoted)
      .join(' '),
    'code=$?',
    `echo $code >${exitFile}.new && mv ${exitFile}.new ${exitFile}`,
    '',
  ].join('\n')
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

const launchFailed = (cause: Error): BasaltError =>
  new BasaltError('runtime.failed', { message: `no shell could be started: ${cause.message}`, cause })
