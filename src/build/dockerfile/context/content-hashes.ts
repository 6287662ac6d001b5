import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import * as z from 'zod'
import { writeFileAtomic } from '../../../util/atomic-write.ts'
import type { ContextEntry } from './context-walk.ts'
import { readUnchanged } from './read-unchanged.ts'

/** A context whose contents are known. */
export interface HashedContext {
  /** Hex SHA-256 over paths, kinds, modes, link targets and contents; times are no part of it. */
  readonly digest: string
  /** Hex SHA-256 of each file's content, by path. Read when it is asked for. */
  hashes(): Promise<ReadonlyMap<string, string>>
}

/** As in the layers of the native builder: a file that changed this shortly ago may change without a new stamp. */
const racyMs = 2_000

const indexSchema = z.object({ snapshot: z.string(), digest: z.string() })
const hashesSchema = z.record(z.string(), z.tuple([z.string(), z.string()]))

/**
 * The digest of a context. Files whose inode, size and times are as they were are not read again: what they had is kept
 * in two files, which may be deleted at any time.
 */
export async function hashContext(
  entries: readonly ContextEntry[],
  cacheFile: string,
  now: () => number,
  signal: AbortSignal,
): Promise<HashedContext> {
  const startedAt = now()
  const snapshot = snapshotOf(entries)
  const index = await readJson(`${cacheFile}.index.json`, indexSchema)
  const hashesFile = `${cacheFile}.hashes.json`
  const known = async () => (await readJson(hashesFile, hashesSchema)) ?? {}
  if (index?.snapshot === snapshot)
    return { digest: index.digest, hashes: () => hashAll(entries, known, signal) }

  const hashes = await hashAll(entries, known, signal)
  const digest = digestOf(entries, hashes)
  await mkdir(dirname(cacheFile), { recursive: true })
  const settled = entries.filter((entry) => isSettled(entry, startedAt))
  const records = settled.flatMap(({ path, state, sizeBytes }): [string, [string, string]][] => {
    const hash = hashes.get(path)
    return hash === undefined ? [] : [[path, [stampOf(state, sizeBytes), hash]]]
  })
  await writeFileAtomic(hashesFile, JSON.stringify(Object.fromEntries(records)))
  if (settled.length === entries.length)
    await writeFileAtomic(`${cacheFile}.index.json`, JSON.stringify({ snapshot, digest }))
  return { digest, hashes: async () => hashes }
}

const isSettled = ({ kind, state }: ContextEntry, startedAt: number): boolean =>
  kind !== 'file' || Number(state.ctimeNs / 1_000_000n) < startedAt - racyMs

async function hashAll(
  entries: readonly ContextEntry[],
  known: () => Promise<z.infer<typeof hashesSchema>>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const before = await known()
  const hashes = new Map<string, string>()
  let sinceYield = 0
  for (const entry of entries) {
    if (entry.kind !== 'file') continue
    const [stamp, hash] = before[entry.path] ?? []
    if (hash !== undefined && stamp === stampOf(entry.state, entry.sizeBytes)) hashes.set(entry.path, hash)
    else {
      const sha256 = createHash('sha256')
      for (const chunk of readUnchanged(entry)) {
        sha256.update(chunk)
        sinceYield += chunk.byteLength + 4096
        if (sinceYield < bytesPerTurn) continue
        sinceYield = 0
        await yieldToEventLoop()
        signal.throwIfAborted()
      }
      hashes.set(entry.path, sha256.digest('hex'))
    }
  }
  return hashes
}

const bytesPerTurn = 4 << 20

function snapshotOf(entries: readonly ContextEntry[]): string {
  const lines = entries.map(
    ({ path, kind, mode, target, state, sizeBytes }) =>
      `${path}\0${kind}\0${mode}\0${target}\0${kind === 'file' ? stampOf(state, sizeBytes) : ''}`,
  )
  return sha256(lines.join('\0\0'))
}

const digestOf = (entries: readonly ContextEntry[], hashes: ReadonlyMap<string, string>): string =>
  sha256(
    entries
      .map(
        ({ path, kind, mode, target }) => `${path}\0${kind}\0${mode}\0${target}\0${hashes.get(path) ?? ''}`,
      )
      .join('\0\0'),
  )

const stampOf = ({ device, inode, mtimeNs, ctimeNs }: ContextEntry['state'], sizeBytes: number): string =>
  `${device} ${inode} ${sizeBytes} ${mtimeNs} ${ctimeNs}`

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Null where there is none that can be used: then it is made again. */
export async function readJson<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
): Promise<z.infer<Schema> | null> {
  try {
    const result = schema.safeParse(JSON.parse(await readFile(file, 'utf8')))
    return result.success ? result.data : null
  } catch {
    return null
  }
}
