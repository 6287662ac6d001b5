import { basicHeader, fetchToken, type PlainSend } from './bearer-token.ts'
import { parseChallenges } from './challenge.ts'
import type { Credentials } from './docker-credentials.ts'
import { denied } from './registry-error.ts'

/** What a request is about, and so what a token for it has to allow. */
export interface Access {
  readonly repository: string
  readonly actions: 'pull' | 'pull,push'
  /** Another repository that is read from on the way. */
  readonly from?: string
}

/** Credentials in the form that a registry asked for. One for each session. */
export interface Authorization {
  /** The header for a request; null as long as nothing was asked for. */
  header(access: Access): string | null
  /** Answers `WWW-Authenticate`; `header` is a new one after that. Rejects with `registry.denied`. */
  challenged(header: string, access: Access, what: string, send: PlainSend): Promise<void>
}

export function createAuthorization(
  registry: string,
  credentials: () => Promise<Credentials | null>,
): Authorization {
  let basic: string | null = null
  /** By what they allow. */
  const tokens = new Map<string, Promise<string>>()
  const known = new Map<string, string>()

  return {
    header: (access) => known.get(keyOf(access)) ?? basic,
    async challenged(header, access, what, send) {
      const challenges = parseChallenges(header)
      const found = await credentials()
      const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
      const key = keyOf(access)
      if (bearer !== undefined) {
        if (found?.kind === 'bearer') return void known.set(key, `Bearer ${found.token}`)
        const scopes = scopesOf(access, bearer.parameters['scope'])
        const request = { registry, what, parameters: bearer.parameters, scopes, credentials: found }
        // Several requests are challenged at the same time: one token serves all.
        const token = tokens.get(key) ?? fetchToken(request, send)
        tokens.set(key, token)
        try {
          known.set(key, `Bearer ${await token}`)
        } finally {
          tokens.delete(key)
        }
        return
      }
      if (!challenges.some(({ scheme }) => scheme === 'basic'))
        throw denied(registry, what, 'it asks for a kind of login that is not known here', found !== null)
      if (found?.kind !== 'password') throw denied(registry, what, 'it asks for user and password', false)
      basic = basicHeader(found)
    },
  }
}

const keyOf = (access: Access): string => scopesOf(access).join(' ')

function scopesOf({ repository, actions, from }: Access, asked = ''): readonly string[] {
  const needed = [
    `repository:${repository}:${actions}`,
    ...(from === undefined ? [] : [`repository:${from}:pull`]),
  ]
  return [...new Set([...needed, ...asked.split(' ').filter((scope) => scope !== '')])]
}
