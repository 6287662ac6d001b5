import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { createPrivateKey, sign } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Debian's docker-registry: the one that most registries of companies are. */
export const dockerRegistryMissing = spawnSync('docker-registry', ['--version']).error !== undefined

export interface DockerRegistry {
  /** `127.0.0.1:<port>` */
  readonly name: string
  readonly folder: string
  close(): Promise<void>
}

export interface RegistryOptions {
  readonly auth?: 'basic' | 'token'
  /** `client`: who asks must show a certificate, too. */
  readonly tls?: 'server' | 'client'
}

export const registryUser = { user: 'ada', password: 'love:lace' } as const
export const refreshToken = 'a-refresh-token'
const basicOfUser = `Basic ${Buffer.from(`${registryUser.user}:${registryUser.password}`).toString('base64')}`
/** bcrypt of the password above. */
const htpasswd = 'ada:$2b$05$abcdefghijklmnopqrstuujuOr2/oZU0c8EgP1YXR/DGy/5z8WNzi\n'

export async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A real registry on a free port of the loopback, with a folder of its own. */
export async function startDockerRegistry(options: RegistryOptions = {}): Promise<DockerRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'basalt-docker-registry-'))
  mkdirSync(join(folder, 'data'))
  const port = await freePort()
  const name = `127.0.0.1:${port}`
  if (options.tls !== undefined || options.auth === 'token') makeCertificate(folder)
  const tokens = options.auth === 'token' ? await startTokenServer(folder) : null
  const configuration = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: {
      addr: name,
      ...(options.tls === undefined ? {} : { tls: tlsSettings(folder, options.tls) }),
    },
    ...(options.auth === 'basic'
      ? { auth: { htpasswd: { realm: 'basalt', path: join(folder, 'htpasswd') } } }
      : {}),
    ...(tokens === null
      ? {}
      : {
          auth: {
            token: {
              realm: `http://127.0.0.1:${(tokens.address() as AddressInfo).port}/token`,
              service: 'basalt-test',
              issuer: 'basalt-issuer',
              rootcertbundle: join(folder, 'registry.crt'),
            },
          },
        }),
  }
  writeFileSync(join(folder, 'htpasswd'), htpasswd)
  // JSON is YAML.
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(configuration))
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await answers(port, child, () => said)
  return {
    name,
    folder,
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
      await new Promise((resolve) => (tokens === null ? resolve(null) : tokens.close(resolve)))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function tlsSettings(folder: string, tls: 'server' | 'client'): Record<string, unknown> {
  const certificate = join(folder, 'registry.crt')
  return {
    certificate,
    key: join(folder, 'registry.key'),
    ...(tls === 'client' ? { clientcas: [certificate] } : {}),
  }
}

async function answers(port: number, child: ChildProcess, said: () => string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended: ${said()}`)
    const reached = await fetch(`http://127.0.0.1:${port}/v2/`).then(
      () => true,
      () => false,
    )
    if (reached) return
    await sleep(20)
  }
}

function makeCertificate(folder: string): void {
  const files = ['-keyout', join(folder, 'registry.key'), '-out', join(folder, 'registry.crt')]
  const subject = ['-subj', '/CN=basalt-test', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:registry.test']
  const options = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files]
  execFileSync('openssl', options, { stdio: 'ignore' })
}

/** Gives tokens as distribution's spec/auth/jwt.md has them: pulling to everybody, pushing to the user. */
async function startTokenServer(folder: string): Promise<Server> {
  const key = createPrivateKey(readFileSync(join(folder, 'registry.key')))
  const certificate = readFileSync(join(folder, 'registry.crt'), 'utf8').replaceAll(/-----[^-]+-----|\s/g, '')
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const tokenFor = (scopes: readonly string[], isUser: boolean): string => {
    const access = scopes.map((scope) => {
      const [type, name, actions = ''] = scope.split(':')
      return { type, name, actions: actions.split(',').filter((action) => isUser || action === 'pull') }
    })
    const now = Math.floor(Date.now() / 1000)
    const claims = {
      iss: 'basalt-issuer',
      sub: 'x',
      aud: 'basalt-test',
      exp: now + 300,
      nbf: now - 10,
      iat: now,
      access,
    }
    const text = `${encode({ typ: 'JWT', alg: 'RS256', x5c: [certificate] })}.${encode(claims)}`
    return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
  }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const form = new URLSearchParams(Buffer.concat(chunks).toString())
    const query = new URL(request.url ?? '', 'http://localhost').searchParams
    const isRefresh = request.method === 'POST' && form.get('grant_type') === 'refresh_token'
    const { authorization } = request.headers
    const isUser = isRefresh ? form.get('refresh_token') === refreshToken : authorization === basicOfUser
    if (!isUser && (isRefresh || authorization !== undefined)) {
      const error = { code: 'UNAUTHORIZED', message: 'wrong password' }
      return void response.writeHead(401).end(JSON.stringify({ errors: [error] }))
    }
    const scopes = (isRefresh ? form.getAll('scope') : query.getAll('scope')).flatMap((scope) =>
      scope.split(' '),
    )
    const token = tokenFor(scopes, isUser)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(isRefresh ? { access_token: token } : { token }))
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return server
}
