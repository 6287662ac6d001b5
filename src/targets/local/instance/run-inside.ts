import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { exec } from '../../../util/exec.ts'
import type { LocalContext } from '../local-context.ts'
import type { LocalInstance } from './local-instance.ts'
import { isInCgroup } from './signal-process.ts'

/** Killed by `exec` because the time was over. */
const killed = 137

/** Runs a command in an instance, with the instance's own user, environment and limits. */
export async function runInside(
  context: LocalContext,
  instance: LocalInstance,
  command: readonly string[],
  timeoutMs: number,
): Promise<{ readonly exitCode: number | null; readonly output: string }> {
  const { runtime, paths } = context
  const pidFile = join(instance.paths.folder, 'check.pid')
  // A number that an earlier check left is somebody else's by now.
  await rm(pidFile, { force: true })
  const [program = '', ...args] = runtime.command(
    ['--root', paths.runtimeState, 'exec', '--pid-file', pidFile, instance.id].concat(command),
  )
  const { exitCode, stdout, stderr } = await exec(program, args, { timeoutMs })
  if (exitCode !== killed) return { exitCode, output: stdout + stderr }
  await endInside(pidFile, `${paths.cgroup}/${instance.id}`)
  return { exitCode: null, output: stdout + stderr }
}

/** The runtime's death does not end what it started inside. */
async function endInside(pidFile: string, cgroup: string): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''))
  if (!Number.isInteger(pid) || pid <= 0 || !isInCgroup(pid, cgroup)) return
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended in the meantime.
  }
}
