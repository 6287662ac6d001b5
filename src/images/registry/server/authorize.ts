import type { FastifyRequest } from 'fastify'
import { type Access, type AccessTokens, tokenService } from './access-token.ts'
import type { Credentials, StoredCredential } from './credentials.ts'
import { isLoopbackAddress, isLoopbackHost } from './loopback.ts'
import { refusal } from './refusal.ts'
import { type Scope, scopes } from './scope.ts'

/** What a request is about to do; null: only to see whether it is known at all. */
export type Need =
  | { readonly repository: string; readonly action: Scope }
  | { readonly repository: null; readonly action: 'catalogue' }
  | null

export interface Authority {
  readonly credentials: Credentials
  readonly tokens: AccessTokens
  /** Whether clients of this machine may pull without a token. */
  readonly anonymousPull: boolean
  /** Repositories that nobody may pull without a token. */
  isPrivate(repository: string): boolean
}

/**
 * Lets a request through and resolves with whose it is (null: nobody in particular's), or rejects: UNAUTHORIZED with a challenge that says where a token is given for what (the
 * distribution project's "Token Authentication"), DENIED where the one who asks is known and may not.
 */
export async function authorize(
  request: FastifyRequest,
  need: Need,
  authority: Authority,
): Promise<string | null> {
  const [scheme = '', value = ''] = (request.headers.authorization ?? '').split(/ +/, 2)
  if (scheme.toLowerCase() === 'bearer') return checkBearer(request, value, need, authority)
  if (scheme.toLowerCase() === 'basic') {
    const credential = await checkBasic(value, authority.credentials)
    if (credential === null) throw unauthorized(request, need, 'the user name or the token is wrong')
    assertAllowed(credential, need)
    return credential.name
  }
  if (need?.action === 'pull' && mayPullAnonymously(request, need.repository, authority)) return null
  throw unauthorized(request, need, 'a token is needed')
}

async function checkBearer(
  request: FastifyRequest,
  token: string,
  need: Need,
  authority: Authority,
): Promise<string | null> {
  const claims = authority.tokens.read(token)
  if (claims === null) throw unauthorized(request, need, 'the access token is not valid, or too old')
  if (claims.credential === null) {
    // Given for this machine's clients: it is of no use to others, nor when the setting was changed.
    if (need === null || (need.action === 'pull' && mayPullAnonymously(request, need.repository, authority)))
      return null
    throw unauthorized(
      request,
      need,
      `without a token only images can be pulled. ${grantRemedy}`,
      'insufficient_scope',
    )
  }
  const credential = await authority.credentials.find(claims.credential)
  if (credential === null) throw unauthorized(request, need, 'the token was revoked')
  assertAllowed(credential, need)
  if (need !== null && !covers(claims.access, need))
    throw unauthorized(request, need, 'the access token is for something else', 'insufficient_scope')
  return credential.name
}

export const allows = ({ scope }: Pick<StoredCredential, 'scope'>, action: Scope): boolean =>
  scopes.indexOf(scope) >= scopes.indexOf(action)

function assertAllowed(credential: StoredCredential, need: Need): void {
  if (need === null || need.action === 'catalogue' || allows(credential, need.action)) return
  throw refusal(
    'DENIED',
    `the token ${credential.name} has the scope ${credential.scope}, which does not allow to ${need.action}. ${grantRemedy}`,
  )
}

const grantRemedy = 'Get one with more rights: basalt registry grant <name> --scope push'

const covers = (access: readonly Access[], need: Exclude<Need, null>): boolean =>
  access.some(({ type, name, actions }) =>
    need.action === 'catalogue'
      ? type === 'registry' && name === 'catalog' && actions.includes('*')
      : type === 'repository' &&
        name === need.repository &&
        (actions.includes(need.action) || actions.includes('*')),
  )

/** `user:token` in base64 (RFC 7617). */
export async function checkBasic(value: string, credentials: Credentials): Promise<StoredCredential | null> {
  const text = Buffer.from(value, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? null : credentials.check(text.slice(0, colon), text.slice(colon + 1))
}

export const mayPullAnonymously = (
  request: FastifyRequest,
  repository: string,
  authority: Authority,
): boolean => isAnonymousWelcome(request, authority) && !authority.isPrivate(repository)

/**
 * Only for clients on this machine: not for one that a proxy speaks for, nor for a web page that had its name point to
 * this machine.
 */
export const isAnonymousWelcome = (request: FastifyRequest, { anonymousPull }: Authority): boolean =>
  anonymousPull &&
  isLoopbackAddress(request.socket.remoteAddress ?? '') &&
  isLoopbackHost(request.headers.host ?? '') &&
  !['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some((name) => name in request.headers)

const unauthorized = (request: FastifyRequest, need: Need, message: string, error?: string) =>
  refusal('UNAUTHORIZED', message, {
    headers: { 'www-authenticate': challenge(request, need, error) },
    detail: need === null ? {} : { ...need },
  })

/** Under the name by which the client reaches us. */
function challenge(request: FastifyRequest, need: Need, error: string | undefined): string {
  // A proxy that ends TLS says so; whoever lies sends his own client elsewhere.
  const isTls = request.protocol === 'https' || request.headers['x-forwarded-proto'] === 'https'
  const parts = [
    `realm="${isTls ? 'https' : 'http'}://${hostOf(request)}/token"`,
    `service="${tokenService}"`,
  ]
  if (need !== null) parts.push(`scope="${scopeText(need)}"`)
  if (error !== undefined) parts.push(`error="${error}"`)
  return `Bearer ${parts.join(',')}`
}

/** A client's own word, so only what can be a name goes back into a header. */
const hostOf = ({ headers, socket }: FastifyRequest): string =>
  /^[\w.:[\]-]+$/.test(headers.host ?? '') ? (headers.host ?? '') : `127.0.0.1:${socket.localPort}`

function scopeText(need: Exclude<Need, null>): string {
  if (need.action === 'catalogue') return 'registry:catalog:*'
  const actions = need.action === 'push' ? 'pull,push' : need.action
  return `repository:${need.repository}:${actions}`
}
