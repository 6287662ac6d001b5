import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { writeFileAtomic } from '../../../util/atomic-write.ts'

/** What may be done with one thing (distribution, "Token Authentication": the `access` claim). */
export interface Access {
  readonly type: string
  readonly name: string
  readonly actions: readonly string[]
}

/** What an access token says. */
export interface AccessClaims {
  /** The credential's id; null: anybody's. */
  readonly credential: string | null
  readonly access: readonly Access[]
}

/** Short-lived, signed: a JWT (RFC 7519) with HMAC-SHA-256, as who issues it also reads it. */
export interface AccessTokens {
  readonly lifetimeSeconds: number
  issue(claims: AccessClaims): string
  /** Null: not ours, changed, or too old. */
  read(token: string): AccessClaims | null
}

const lifetimeSeconds = 600
export const tokenService = 'basalt-registry'
const header = Buffer.from(JSON.stringify({ typ: 'JWT', alg: 'HS256' })).toString('base64url')

const claimsSchema = z.object({
  aud: z.literal(tokenService),
  sub: z.string(),
  exp: z.number(),
  access: z.array(z.object({ type: z.string(), name: z.string(), actions: z.array(z.string()) })),
})

export function createAccessTokens(key: Uint8Array, now: () => number): AccessTokens {
  const sign = (text: string): Buffer => createHmac('sha256', key).update(text).digest()
  return {
    lifetimeSeconds,
    issue({ credential, access }) {
      const issuedAt = Math.floor(now() / 1000)
      const claims = {
        iss: tokenService,
        aud: tokenService,
        sub: credential ?? '',
        iat: issuedAt,
        nbf: issuedAt,
        exp: issuedAt + lifetimeSeconds,
        jti: randomBytes(12).toString('hex'),
        access,
      }
      const text = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
      return `${text}.${sign(text).toString('base64url')}`
    },
    read(token) {
      const [head, body = '', signature = '', ...rest] = token.split('.')
      // Only our own header: a token cannot choose how it is verified.
      if (head !== header || rest.length > 0) return null
      const given = Buffer.from(signature, 'base64url')
      const expected = sign(`${head}.${body}`)
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null
      const claims = claimsSchema.parse(JSON.parse(Buffer.from(body, 'base64url').toString('utf8')))
      if (now() / 1000 >= claims.exp) return null
      return { credential: claims.sub === '' ? null : claims.sub, access: claims.access }
    },
  }
}

const keyBytes = 32

/** The key of this home, kept so that a push goes on when the server was restarted; made where it is missing. */
export async function loadTokenKey(path: string): Promise<Uint8Array> {
  const found = await readFile(path).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw cause
  })
  if (found?.byteLength === keyBytes) return found
  const key = randomBytes(keyBytes)
  await writeFileAtomic(path, key, { mode: 0o600 })
  return key
}
