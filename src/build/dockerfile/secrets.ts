import { createHmac, randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { SecretFile } from '../../core/system.ts'
import { BasaltError } from '../../errors.ts'
import { writeFileAtomic } from '../../util/atomic-write.ts'
import { projectPath } from './context/context-walk.ts'

const maxSecretBytes = 500 * 1024

/** The bytes of the secrets of a recipe, by id. Rejects with `build.path-missing`, `build.path-escapes`. */
export async function readSecrets(
  folder: string,
  secrets: readonly SecretFile[],
): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>()
  for (const { id, file } of secrets) {
    const bytes = await readFile(projectPath(folder, file, `the secret ${id}`)).catch((cause: unknown) => {
      if (cause instanceof BasaltError) throw cause
      throw unusable(id, `${file} cannot be read: ${(cause as Error).message}`, cause)
    })
    // BuildKit's own limit.
    if (bytes.byteLength > maxSecretBytes)
      throw unusable(id, `${file} has ${bytes.byteLength} bytes, more than ${maxSecretBytes}`)
    found.set(id, bytes)
  }
  return found
}

const unusable = (id: string, fact: string, cause?: unknown): BasaltError =>
  new BasaltError('build.failed', {
    message: `the secret ${id} cannot be used: ${fact}`,
    details: { secret: id },
    ...(cause === undefined ? {} : { cause }),
  })

/**
 * Tells whether secrets changed without telling anything of them: their digests under a key that never leaves the state
 * folder, so that nobody can try values against what a cache holds.
 */
export async function secretsFingerprint(
  secrets: ReadonlyMap<string, Buffer>,
  keyFile: string,
): Promise<Readonly<Record<string, string>>> {
  if (secrets.size === 0) return {}
  const key = await keyIn(keyFile)
  return Object.fromEntries(
    [...secrets].map(([id, bytes]) => [id, createHmac('sha256', key).update(bytes).digest('hex')]),
  )
}

async function keyIn(file: string): Promise<Buffer> {
  const known = await readFile(file).catch(() => null)
  if (known?.byteLength === 32) return known
  const key = randomBytes(32)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await writeFileAtomic(file, key, { mode: 0o600 })
  return key
}
