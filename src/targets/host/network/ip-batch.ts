import { exec, execOrThrow } from '../../../util/exec.ts'

/** Runs many `ip` commands in one process; stops at the first failure. */
export const ipBatch = (purpose: string, commands: readonly string[]): Promise<unknown> =>
  execOrThrow('network.setup-failed', purpose, 'ip', ['-batch', '-'], { input: `${commands.join('\n')}\n` })

/** The same for removing things: what is gone already is no failure. */
export const ipBatchForced = (commands: readonly string[]): Promise<unknown> =>
  exec('ip', ['-force', '-batch', '-'], { input: `${commands.join('\n')}\n` })

/** The JSON answer of an `ip` query. */
export async function ipQuery(purpose: string, args: readonly string[]): Promise<unknown> {
  const { stdout } = await execOrThrow('network.setup-failed', purpose, 'ip', ['-j', ...args])
  return stdout.trim() === '' ? [] : JSON.parse(stdout)
}
