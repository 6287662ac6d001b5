import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { exec } from '../../../util/exec.ts'
import type { LocalContext } from '../local-context.ts'
import type { Instance } from './instance.ts'

/** Killed by `exec` because the time was over. */
const killed = 137

/** Runs a command in an instance, with the instance's own user, environment and limits. */
export async function runInside(
  { runtime, paths }: LocalContext,
  instance: Instance,
  command: readonly string[],
  timeoutMs: number,
): Promise<{ readonly exitCode: number | null; readonly output: string }> {
  const pidFile = join(instance.paths.folder, 'check.pid')
  const [program = '', ...args] = runtime.command(
    ['--root', paths.runtimeState, 'exec', '--pid-file', pidFile, instance.id].concat(command),
  )
  const { exitCode, stdout, stderr } = await exec(program, args, { timeoutMs })
  if (exitCode !== killed) return { exitCode, output: stdout + stderr }
  await endInside(pidFile)
  return { exitCode: null, output: stdout + stderr }
}

/** The runtime's death does not end what it started inside. */
async function endInside(pidFile: string): Promise<void> {
  try {
    process.kill(Number(await readFile(pidFile, 'utf8')), 'SIGKILL')
  } catch {
    // It had not started, or has ended.
  }
  await rm(pidFile, { force: true })
}
