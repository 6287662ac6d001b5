import type { FastifyInstance, FastifyRequest } from 'fastify'
import * as z from 'zod'
import type { Access } from './access-token.ts'
import { type Authority, allows, checkBasic, isAnonymousWelcome, mayPullAnonymously } from './authorize.ts'
import type { StoredCredential } from './credentials.ts'
import { refusal } from './refusal.ts'
import { isRepositoryName } from './repository-name.ts'
import { type Scope, scopes } from './scope.ts'

const scopeTexts = z.union([z.string(), z.array(z.string())]).optional()
const querySchema = z.object({ scope: scopeTexts })
const formSchema = z.object({
  grant_type: z.string(),
  username: z.string().optional(),
  password: z.string().optional(),
  scope: z.string().optional(),
})
const maxFormBytes = 64 * 1024

/**
 * Gives access tokens (the distribution project's "Token Authentication"): by GET to basic credentials, or to nobody in
 * particular where that is allowed; by POST as of OAuth 2 (RFC 6749, section 4.3). More than the credentials allow is
 * left out of the token, as the protocol has it.
 */
export function addTokenEndpoint(app: FastifyInstance, authority: Authority): void {
  app.get('/token', async (request) => {
    const { scope } = querySchema.parse(request.query)
    const [scheme = '', value = ''] = (request.headers.authorization ?? '').split(/ +/, 2)
    if (scheme === '') return issueAnonymous(request, scope, authority)
    const credential =
      scheme.toLowerCase() === 'basic' ? await checkBasic(value, authority.credentials) : null
    return issue(credential, scope, authority)
  })
  app.post('/token', { bodyLimit: maxFormBytes }, async (request) => {
    const form = formSchema.safeParse(request.body)
    if (!form.success || form.data.grant_type !== 'password')
      throw refusal('UNSUPPORTED', 'tokens are given to the grant type password, or by GET', { status: 400 })
    const { username = '', password = '', scope } = form.data
    return issue(await authority.credentials.check(username, password), scope, authority)
  })
}

function issueAnonymous(request: FastifyRequest, scope: ScopeTexts, authority: Authority): object {
  if (!isAnonymousWelcome(request, authority))
    throw refusal('UNAUTHORIZED', 'a user name and a token are needed', {
      headers: { 'www-authenticate': 'Basic realm="basalt"' },
    })
  const access = asked(scope).flatMap((entry) =>
    entry.type === 'repository' &&
    entry.actions.includes('pull') &&
    mayPullAnonymously(request, entry.name, authority)
      ? [{ ...entry, actions: ['pull'] }]
      : [],
  )
  return answer(authority, { credential: null, access })
}

function issue(credential: StoredCredential | null, scope: ScopeTexts, authority: Authority): object {
  if (credential === null)
    throw refusal('UNAUTHORIZED', 'the user name or the token is wrong', {
      headers: { 'www-authenticate': 'Basic realm="basalt"' },
    })
  const access = asked(scope).flatMap((entry): readonly Access[] => {
    if (entry.type === 'registry') return entry.name === 'catalog' ? [{ ...entry, actions: ['*'] }] : []
    const actions = entry.actions.filter((action) => isScope(action) && allows(credential, action))
    return entry.type === 'repository' && actions.length > 0 ? [{ ...entry, actions }] : []
  })
  return answer(authority, { credential: credential.id, access })
}

function answer({ tokens }: Authority, claims: Parameters<Authority['tokens']['issue']>[0]): object {
  const token = tokens.issue(claims)
  return {
    token,
    access_token: token,
    token_type: 'Bearer',
    expires_in: tokens.lifetimeSeconds,
    scope: claims.access.map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`).join(' '),
  }
}

type ScopeTexts = z.infer<typeof scopeTexts>

/** `repository:shop/web:pull,push`, several of them in several parameters or with spaces. `*` asks for everything. */
function asked(scope: ScopeTexts): readonly Access[] {
  return [scope ?? []]
    .flat()
    .flatMap((text) => text.split(' '))
    .flatMap((text) => {
      const [, type = '', name = '', actions = ''] = /^([a-z]+):(.+):([a-z*,]+)$/.exec(text) ?? []
      if (type === '' || (type === 'repository' && !isRepositoryName(name))) return []
      return [{ type, name, actions: actions === '*' ? [...scopes] : actions.split(',') }]
    })
}

const isScope = (action: string): action is Scope => scopes.some((scope) => scope === action)
