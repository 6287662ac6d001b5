import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { BasaltError } from '../../../errors.ts'
import { writeFileAtomic } from '../../../util/atomic-write.ts'
import { createMutex } from '../../../util/mutex.ts'
import { type Scope, scopes } from './scope.ts'

export interface Credential {
  /** What it is for, and the user name of a login. */
  readonly name: string
  readonly scope: Scope
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** Who asked for it. */
  readonly createdBy: string
}

/** Who may do what in the registry. Secrets are in the file as hashes only; they have 256 bits, so one round is enough. */
export interface Credentials {
  list(): Promise<readonly Credential[]>
  /** Resolves with the secret, which nobody can show again. Rejects with `registry.token-exists`. */
  create(request: Omit<Credential, 'createdAt'>): Promise<NewCredential>
  /** What was signed with it is worth nothing from then on. Rejects with `registry.token-unknown`. */
  revoke(name: string): Promise<void>
  /** Null: no such name, or another secret. */
  check(name: string, secret: string): Promise<StoredCredential | null>
  /** Null: it was revoked. */
  find(id: string): Promise<StoredCredential | null>
}

export interface NewCredential extends Credential {
  readonly secret: string
}

/** `id` tells a credential from a later one of the same name. */
export interface StoredCredential extends Credential {
  readonly id: string
}

const recordSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  scope: z.enum(scopes),
  createdAt: z.number(),
  createdBy: z.string(),
  secretSha256: z.string().regex(/^[0-9a-f]{64}$/),
})
const fileSchema = z.strictObject({
  schema: z.literal('basalt.registry-credentials/v1'),
  tokens: z.array(recordSchema),
})
type CredentialRecord = z.infer<typeof recordSchema>

/** Credentials in a file of mode 0600. Read at every call: a restored or edited file counts at once. */
export function createCredentials(path: string, now: () => number): Credentials {
  const mutex = createMutex()
  const read = () => readRecords(path)
  const write = (tokens: readonly CredentialRecord[]): Promise<void> => {
    const document = { schema: 'basalt.registry-credentials/v1', tokens }
    return writeFileAtomic(path, `${JSON.stringify(document, null, 2)}\n`, { mode: 0o600 })
  }

  return {
    list: async () => (await read()).map(publicPart),
    create: ({ name, scope, createdBy }) =>
      mutex.run(async () => {
        const records = await read()
        if (records.some((record) => record.name === name)) throw nameTaken(name)
        const secret = `basalt_${randomBytes(32).toString('base64url')}`
        const id = randomBytes(8).toString('hex')
        const record = {
          id,
          name,
          scope,
          createdAt: now(),
          createdBy,
          secretSha256: sha256(secret).toString('hex'),
        }
        await write([...records, record])
        return { ...publicPart(record), secret }
      }),
    revoke: (name) =>
      mutex.run(async () => {
        const records = await read()
        const left = records.filter((record) => record.name !== name)
        if (left.length === records.length) throw nameUnknown(name)
        await write(left)
      }),
    async check(name, secret) {
      const record = (await read()).find((entry) => entry.name === name)
      // Hashed also where there is no such name, so that the time does not tell.
      const isRight = timingSafeEqual(
        sha256(secret),
        Buffer.from(record?.secretSha256 ?? '0'.repeat(64), 'hex'),
      )
      return record !== undefined && isRight ? storedPart(record) : null
    },
    async find(id) {
      const record = (await read()).find((entry) => entry.id === id)
      return record === undefined ? null : storedPart(record)
    },
  }
}

async function readRecords(path: string): Promise<readonly CredentialRecord[]> {
  try {
    return fileSchema.parse(JSON.parse(await readFile(path, 'utf8'))).tokens
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw unreadable(path, cause)
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

const publicPart = ({ name, scope, createdAt, createdBy }: CredentialRecord): Credential => ({
  name,
  scope,
  createdAt,
  createdBy,
})
const storedPart = (record: CredentialRecord): StoredCredential => ({ id: record.id, ...publicPart(record) })

const unreadable = (path: string, cause: unknown): BasaltError =>
  new BasaltError('registry.settings-invalid', {
    message: `${path} does not hold the credentials of a registry: ${(cause as Error).message}`,
    remedy: 'Restore it from a backup, or move it away and give new tokens: basalt registry grant',
    details: { path },
    cause,
  })

const nameTaken = (name: string): BasaltError =>
  new BasaltError('registry.token-exists', {
    message: `there is a token ${name} already`,
    remedy: `Choose another name, or revoke that one first: basalt registry revoke ${name}`,
    details: { name },
  })

const nameUnknown = (name: string): BasaltError =>
  new BasaltError('registry.token-unknown', {
    message: `there is no token ${name}`,
    remedy: 'See which there are: basalt registry tokens',
    details: { name },
  })
