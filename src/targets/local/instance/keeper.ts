import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { InstancePaths } from '../local-paths.ts'
import type { OciRuntime } from '../runtime/oci-runtime.ts'

/**
 * The keeper: a shell in a session of its own that runs the OCI runtime in the foreground. It holds nothing
 * but the log file and survives the server; when the instance ends it leaves the exit code in a file.
 */
const script = '"$@"; code=$?; f=$0; echo $code >"$f.new" && mv "$f.new" "$f"'

export interface KeeperRequest {
  readonly runtime: OciRuntime
  readonly paths: InstancePaths
  readonly runtimeState: string
  readonly instance: string
}

/** Resolves when the keeper is spawned; `paths.pidFile` and `paths.exitFile` tell the rest. */
export async function startKeeper(request: KeeperRequest): Promise<void> {
  const { runtime, paths, instance } = request
  await mkdir(dirname(paths.log), { recursive: true, mode: 0o700 })
  // Appending, so that the log can be cut while the instance writes on.
  const log = await open(paths.log, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND, 0o600)
  try {
    const global = ['--root', request.runtimeState, '--log', paths.runtimeLog]
    const run = ['run', '--bundle', paths.folder, '--pid-file', paths.pidFile, instance]
    const command = runtime.command([...global, ...run])
    const keeper = spawn('/bin/sh', ['-c', script, paths.exitFile, ...command], {
      detached: true,
      cwd: '/',
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      stdio: ['ignore', log.fd, log.fd],
    })
    await new Promise((resolve, reject) => keeper.once('spawn', resolve).once('error', reject))
    keeper.unref()
  } finally {
    await log.close()
  }
}
