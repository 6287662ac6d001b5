import { type Document, isNode, LineCounter, parseDocument } from 'yaml'
import * as z from 'zod'
import type { Digest } from '../core/ids.ts'
import { BasaltError } from '../errors.ts'
import type { LockedSet } from './package-lock.ts'

/** Names become those of files, and the file comes with a repository that anybody may have written (deb-control(5)). */
const suite = z.string().regex(/^[a-z0-9][a-z0-9.-]*$/)
const architecture = z.string().regex(/^[a-z0-9][a-z0-9-]*$/)
const packageName = z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/)
const packageId = z.string().regex(/^[a-z0-9][a-z0-9+.-]+_[0-9A-Za-z][0-9A-Za-z.+:~-]*_[a-z0-9][a-z0-9-]*$/)

const digest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/)
  .transform((text) => text as Digest)

const lockSchema = z.strictObject({
  version: z.literal(1),
  /** Absent where no image is named by tag, and in locks that know of none. */
  images: z.record(z.string().max(512), digest).optional(),
  sets: z.array(
    z.strictObject({
      suite,
      architecture,
      requested: z.array(packageName),
      indexes: z.record(suite, z.string()),
      packages: z.array(packageId),
    }),
  ),
  packages: z.record(
    packageId,
    z.strictObject({
      suite,
      path: z.string().regex(/^pool\/(?!.*(?:^|\/)\.\.(?:\/|$))[\x21-\x7e]+$/),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      size: z.number().int().nonnegative(),
    }),
  ),
})

export type LockDocument = z.infer<typeof lockSchema>

export interface LockContent {
  readonly sets: readonly LockedSet[]
  readonly images: Readonly<Record<string, Digest>>
}

/** What a basalt.lock pins. Rejects one that Basalt did not write like this with `build.lock-stale`. */
export function parseLock(file: string, text: string): LockContent {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const placed = (offset: number, fact: string, cause?: unknown): BasaltError => {
    const { line, col } = lines.linePos(offset)
    return lockUnreadable(`${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`, fact, cause)
  }
  const [broken] = document.errors
  if (broken !== undefined) throw placed(broken.pos[0], broken.message, broken)

  const parsed = lockSchema.safeParse(valueOf(document))
  if (!parsed.success) {
    const path = parsed.error.issues[0]?.path ?? []
    const fact = path.length === 0 ? 'it is not a lock' : `\`${path.join('.')}\` is not as Basalt writes it`
    throw placed(offsetOf(document, path), fact, parsed.error)
  }
  const { images = {}, sets: written, packages } = parsed.data
  const sets = written.map((set, setIndex) => ({
    ...set,
    packages: set.packages.map((id, index) => {
      const found = packages[id]
      const [name, version, architecture] = id.split('_')
      if (!found || !name || !version || !architecture)
        throw placed(offsetOf(document, ['sets', setIndex, 'packages', index]), `${id} is not described`)
      const { size: sizeBytes, ...rest } = found
      return { name, version, architecture, ...rest, sizeBytes }
    }),
  }))
  return { sets, images }
}

export const lockUnreadable = (place: string, fact: string, cause?: unknown): BasaltError =>
  new BasaltError('build.lock-stale', {
    message: `${place}: the lock cannot be used: ${fact}`,
    remedy: 'Restore it: git checkout basalt.lock. Or resolve all that it pins anew: basalt build --update',
    details: { place },
    ...(cause === undefined ? {} : { cause }),
  })

/** Null where it has an alias, which a lock has not. */
function valueOf(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 })
  } catch {
    return null
  }
}

/** Of the innermost part of a path that is written. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return 0
}
