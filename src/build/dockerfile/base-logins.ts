import { parseReference } from '../../images/reference.ts'
import type { BackendWork } from './backend.ts'

/** As references and `docker login` name Docker's own registry. */
const hub = 'docker.io'
const hubHosts: ReadonlySet<string> = new Set(['registry-1.docker.io', 'index.docker.io'])
const hubLogin = 'https://index.docker.io/v1/'

/** BuildKit asks by the host that it connects to. */
export const registryOfHost = (host: string): string => (hubHosts.has(host) ? hub : host)

/** The header by which the classic builder is told: the logins of the registries that bases come from. */
export async function loginHeader(
  { bases, findLogin }: Pick<BackendWork, 'bases' | 'findLogin'>,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const fetched = bases.filter(({ onlyHere, stage }) => !onlyHere && stage !== null)
  const logins: Record<string, unknown> = {}
  for (const registry of new Set(fetched.map(({ reference }) => parseReference(reference).registry))) {
    const login = await findLogin(registry, signal)
    if (login === null) continue
    const key = registry === hub ? hubLogin : registry
    logins[key] = {
      serveraddress: key,
      ...(login.user === ''
        ? { identitytoken: login.secret }
        : { username: login.user, password: login.secret }),
    }
  }
  return Object.keys(logins).length === 0
    ? {}
    : { 'x-registry-config': paddedBase64Url(JSON.stringify(logins)) }
}

/** Go's base64.URLEncoding: with padding, which Node's `base64url` has not, and without it all is ignored. */
const paddedBase64Url = (text: string): string =>
  Buffer.from(text).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
