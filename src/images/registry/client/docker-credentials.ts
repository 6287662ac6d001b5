import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { BasaltError } from '../../../errors.ts'
import type { exec as realExec } from '../../../util/exec.ts'
import { loginKey } from './endpoint.ts'

export type Credentials =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  /** A refresh token, which the registry's token server takes in place of a password. */
  | { readonly kind: 'identity'; readonly token: string }
  /** Sent to the registry as it is. */
  | { readonly kind: 'bearer'; readonly token: string }

export interface CredentialSource {
  /** Null: none are known for this registry. Read anew each time, so that a login needs no restart. */
  find(registry: string, signal: AbortSignal): Promise<Credentials | null>
}

const entrySchema = z.looseObject({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
})
const helperName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be the end of a program name')
const configSchema = z.looseObject({
  auths: z.record(z.string(), entrySchema).optional(),
  credHelpers: z.record(z.string(), helperName).optional(),
  credsStore: helperName.or(z.literal('')).optional(),
})
const answerSchema = z.looseObject({ Username: z.string(), Secret: z.string() })

/**
 * What `docker login` and its helpers know (docs of docker/cli, "login", "Credential stores"): a helper for the registry
 * first, then the one for all, then the file itself. `config` is the path of config.json; a missing one knows nothing.
 * Rejects with `registry.credentials-unusable`.
 */
export function createDockerCredentials(config: string, exec: typeof realExec): CredentialSource {
  return {
    async find(registry, signal) {
      const { auths = {}, credHelpers = {}, credsStore = '' } = await readConfig(config)
      const helper = valueFor(credHelpers, registry) ?? credsStore
      if (helper !== '') {
        const found = await askHelper(helper, loginKey(registry), exec, signal)
        if (found !== null) return found
      }
      const entry = valueFor(auths, registry)
      return entry === undefined ? null : credentialsIn(entry, config, registry)
    },
  }
}

async function readConfig(file: string): Promise<z.infer<typeof configSchema>> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return '{}'
    throw unusable(`${file} cannot be read: ${message}`, cause)
  })
  try {
    return configSchema.parse(JSON.parse(text))
  } catch (cause) {
    // Neither of the two says what else is in the file.
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : 'it is not JSON'
    throw unusable(`${file} is not a configuration of Docker: ${reason}`)
  }
}

/** Keys may be written as addresses: `https://registry.example.com/v2/`. */
function valueFor<Value>(entries: Readonly<Record<string, Value>>, registry: string): Value | undefined {
  const wanted = loginKey(registry)
  if (Object.hasOwn(entries, wanted)) return entries[wanted]
  const host = hostIn(wanted)
  return Object.entries(entries).find(([key]) => hostIn(key) === host)?.[1]
}

const hostIn = (key: string): string =>
  key
    .replace(/^https?:\/\//, '')
    .replace(/\/.*$/, '')
    .toLowerCase()

function credentialsIn(
  entry: z.infer<typeof entrySchema>,
  file: string,
  registry: string,
): Credentials | null {
  if (entry.identitytoken) return { kind: 'identity', token: entry.identitytoken }
  if (entry.registrytoken) return { kind: 'bearer', token: entry.registrytoken }
  if (entry.username) return { kind: 'password', user: entry.username, password: entry.password ?? '' }
  if (!entry.auth) return null
  const text = Buffer.from(entry.auth, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon < 1) throw unusable(`${file} has no user and password for ${registry}`)
  // Docker once padded passwords with NUL.
  return {
    kind: 'password',
    user: text.slice(0, colon),
    password: text.slice(colon + 1).replace(/\0+$/, ''),
  }
}

const helperPatienceMs = 30_000

async function askHelper(
  name: string,
  server: string,
  exec: typeof realExec,
  signal: AbortSignal,
): Promise<Credentials | null> {
  const program = `docker-credential-${name}`
  const options = { input: server, op: { signal }, timeoutMs: helperPatienceMs }
  const { stdout, stderr, exitCode } = await exec(program, ['get'], options)
  if (exitCode !== 0) {
    // The protocol has no code for it (docker-credential-helpers, credentials/error.go).
    if (/credentials not found/i.test(stdout + stderr)) return null
    const reason = (stderr.trim() || stdout.trim() || `exit code ${exitCode}`).split('\n')[0] ?? ''
    throw unusable(`${program} gave no credentials for ${server}: ${reason.slice(0, 200)}`)
  }
  try {
    const { Username: user, Secret: secret } = answerSchema.parse(JSON.parse(stdout))
    return user === '<token>'
      ? { kind: 'identity', token: secret }
      : { kind: 'password', user, password: secret }
  } catch {
    // What it printed may be a secret.
    throw unusable(`${program} gave no credentials for ${server}, but something else`)
  }
}

const unusable = (message: string, cause?: unknown): BasaltError =>
  new BasaltError('registry.credentials-unusable', {
    message,
    remedy:
      'Log in again as the user that runs the server (`sudo docker login <registry>`), or correct the file.',
    ...(cause === undefined ? {} : { cause }),
  })
