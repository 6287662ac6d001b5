import { createReadStream, createWriteStream, statSync } from 'node:fs'
import { readdir, rm, rmdir, stat, truncate } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { InstanceId } from '../../../core/ids.ts'
import { numberOfInstance } from '../home-paths.ts'

const maxLogBytes = 10 * 1024 * 1024
/** Logs of removed instances that are kept, the newest ones. */
const keptLogs = 64

export const rotatedLog = (path: string): string => `${path}.1`

/**
 * Cuts a log that has become longer than 10 MB; its last 10 MB go to one older file. Instances append, so cutting
 * needs nothing from them; lines written between the copy and the cut are lost.
 */
export async function rotateLog(path: string, maxBytes = maxLogBytes): Promise<void> {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size <= maxBytes) return
  const older = createWriteStream(rotatedLog(path), { mode: 0o600 })
  await pipeline(createReadStream(path, { start: size - maxBytes }), older)
  await truncate(path)
}

/** Removes the logs of instances that are gone, all but the newest. */
export async function pruneLogs(folder: string, inUse: ReadonlySet<string>, kept = keptLogs): Promise<void> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const paths = files.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  const ended = paths.filter((path) => path.endsWith('.log') && !inUse.has(path))
  if (ended.length <= kept) return
  const dated = await Promise.all(
    ended.map(async (path) => ({ path, at: (await stat(path).catch(() => ({ mtimeMs: 0 }))).mtimeMs })),
  )
  for (const { path } of dated.toSorted((a, b) => b.at - a.at).slice(kept)) {
    await Promise.all([rm(path, { force: true }), rm(rotatedLog(path), { force: true })])
    // Only when it was the last one of its group.
    await rmdir(dirname(path)).catch(() => {})
  }
}

/** The instances of a group whose logs are kept, the newest last: their numbers only rise. */
export async function loggedInstances(groupFolder: string): Promise<readonly InstanceId[]> {
  const files = await readdir(groupFolder).catch(() => [])
  return files
    .filter((name) => name.endsWith('.log'))
    .map((name) => name.slice(0, -'.log'.length) as InstanceId)
    .toSorted((a, b) => numberOfInstance(a) - numberOfInstance(b))
}
