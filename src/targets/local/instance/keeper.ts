import { constants, writeFileSync } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { InstancePaths } from '../local-paths.ts'
import type { OciRuntime } from '../runtime/oci-runtime.ts'
import { type LauncherShell, startLauncherShell } from './launcher-shell.ts'

export interface KeeperRequest {
  readonly runtime: OciRuntime
  readonly paths: InstancePaths
  readonly runtimeState: string
  readonly instance: string
  /** Paths that the runtime will look for mounts at. */
  readonly mounts: readonly string[]
}

/**
 * Starts keepers: for each instance a shell that runs the OCI runtime in the foreground. It holds nothing but the log
 * file and survives the server; when the instance ends it leaves the exit code in a file.
 */
export interface KeeperLauncher {
  /** Resolves when the keeper runs; `paths.pidFile` and `paths.exitFile` tell the rest. */
  start(request: KeeperRequest): Promise<void>
  close(): void
}

/**
 * Keepers are started by a shell that waits for their names: to start a process from a server costs ten milliseconds
 * and more, in which it does nothing else, because all that it has in memory is looked through.
 */
export function createKeeperLauncher(): KeeperLauncher {
  let shell: LauncherShell | null = null

  function shellFor({ runtime, mounts }: KeeperRequest): LauncherShell {
    // With mounts of its own it has those of its beginning, and maybe not what was mounted since.
    const current = shell
    if (current !== null && !mounts.every((path) => current.sees(path))) current.close()
    if (shell === null || shell.ended) shell = startLauncherShell(runtime.surroundings)
    return shell
  }

  return {
    async start(request) {
      const { log, keeper } = request.paths
      await mkdir(dirname(log), { recursive: true, mode: 0o700 })
      // Here, where a failure can be told: the keeper has nobody to tell.
      await (await open(log, constants.O_WRONLY | constants.O_CREAT, 0o600)).close()
      writeFileSync(keeper, keeperScript(request), { mode: 0o600 })
      await shellFor(request).launch(keeper)
    },
    close() {
      shell?.close()
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
      .inside([...global, ...run])
      .map(quoted)
      .join(' '),
    'code=$?',
    `echo $code >${exitFile}.new && mv ${exitFile}.new ${exitFile}`,
    '',
  ].join('\n')
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`
