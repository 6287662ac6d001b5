import * as z from 'zod'
import type { Credentials } from './docker-credentials.ts'
import { isAllowed } from './endpoint.ts'
import type { HttpAnswer } from './http-transport.ts'
import { readBody, readRemark } from './read-body.ts'
import { denied, failed, refusalIn } from './registry-error.ts'

/** One request without credentials of ours in its headers but those given; tried again as all are. */
export type PlainSend = (request: {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: () => Buffer
}) => Promise<HttpAnswer>

export interface TokenRequest {
  readonly registry: string
  /** What it is for; begins errors. */
  readonly what: string
  /** Of the challenge. */
  readonly parameters: Readonly<Record<string, string>>
  readonly scopes: readonly string[]
  readonly credentials: Credentials | null
}

const tokenSchema = z.looseObject({
  token: z.string().min(1).optional(),
  access_token: z.string().min(1).optional(),
})
const maxTokenBytes = 256 * 1024

/**
 * Gets a token from the server that the challenge names (distribution, spec/auth/token.md), or for a refresh token by
 * OAuth2 (spec/auth/oauth.md). Rejects with `registry.denied` or `registry.failed`.
 */
export async function fetchToken(request: TokenRequest, send: PlainSend): Promise<string> {
  const { registry, what, credentials } = request
  const realm = realmOf(request)
  const answer = await send(
    credentials?.kind === 'identity'
      ? refreshRequest(realm, request, credentials.token)
      : tokenRequest(realm, request),
  )
  if (answer.status !== 200) {
    const reason = refusalIn(await readRemark(answer)) ?? `${realm.host} answered ${answer.status}`
    if (answer.status >= 400 && answer.status < 500)
      throw denied(registry, what, reason, credentials !== null)
    throw failed(registry, what, `got no token: ${reason}`)
  }
  const body = await readBody(answer, maxTokenBytes)
  const { token, access_token: accessToken } = parseToken(body) ?? {}
  const found = token ?? accessToken
  // It becomes a header.
  if (found === undefined || !/^[\x21-\x7e]+$/.test(found))
    throw failed(registry, what, `got no token: ${realm.host} answered with something else`)
  return found
}

function realmOf({ registry, what, parameters }: TokenRequest): URL {
  const text = parameters['realm'] ?? ''
  if (!URL.canParse(text)) throw failed(registry, what, `names no token server, but "${text.slice(0, 100)}"`)
  const realm = new URL(text)
  if (!isAllowed(realm, registry))
    throw failed(registry, what, `names a token server that is not asked by HTTPS: ${realm.origin}`)
  return realm
}

function tokenRequest(realm: URL, { parameters, scopes, credentials }: TokenRequest) {
  const url = new URL(realm)
  if (parameters['service'] !== undefined) url.searchParams.set('service', parameters['service'])
  for (const scope of scopes) url.searchParams.append('scope', scope)
  const headers: Record<string, string> = {}
  if (credentials?.kind === 'password') {
    url.searchParams.set('account', credentials.user)
    headers['authorization'] = basicHeader(credentials)
  }
  return { method: 'GET', url, headers } as const
}

function refreshRequest(url: URL, { parameters, scopes }: TokenRequest, token: string) {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: 'basalt',
    service: parameters['service'] ?? '',
    scope: scopes.join(' '),
    refresh_token: token,
  })
  return {
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: () => Buffer.from(form.toString()),
  } as const
}

export const basicHeader = ({ user, password }: Credentials & { readonly kind: 'password' }): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

function parseToken(body: Buffer | null): z.infer<typeof tokenSchema> | null {
  try {
    return tokenSchema.parse(JSON.parse(body?.toString('utf8') ?? ''))
  } catch {
    return null
  }
}
