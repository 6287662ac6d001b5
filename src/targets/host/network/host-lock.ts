import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { BasaltError } from '../../../errors.ts'

/** What all homes of this host share. */
export const runFolder = '/run/basalt'
const waitSeconds = 10

/**
 * Runs `action` while no other Basalt on this host does: names and address ranges are host-wide.
 * The kernel releases the lock when its holder ends, however it ends.
 */
export async function withHostLock<Result>(action: () => Promise<Result>): Promise<Result> {
  await mkdir(runFolder, { recursive: true, mode: 0o755 })
  const file = `${runFolder}/network.lock`
  const holder = spawn('flock', ['--wait', String(waitSeconds), file, 'sh', '-c', 'echo held; cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const ended = once(holder, 'close').then(
    () => false,
    () => false,
  )
  try {
    const held = await Promise.race([once(holder.stdout, 'data').then(() => true), ended])
    if (!held)
      throw new BasaltError('network.setup-failed', {
        message: `another Basalt held ${file} for more than ${waitSeconds} s`,
        remedy: `See who holds it: fuser -v ${file}`,
      })
    return await action()
  } finally {
    holder.stdin.destroy()
    await ended
  }
}
