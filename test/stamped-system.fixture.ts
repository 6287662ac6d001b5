import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface StampedSystem {
  /** Stamped on every answer of both services. */
  readonly release: string
  readonly target: string
  readonly port: number
  /** What `front` answers when it is asked for its health; 200 unless told. */
  readonly health?: number
}

/** Answers with 4 KB, a stamp of its own and those of whom it asked, in `x-stamp-<name>`. */
const server = `import { Agent, createServer, get } from 'node:http'
const { NAME: name, RELEASE: release, BACK: back, HEALTH: health = '200' } = process.env
const agent = new Agent({ keepAlive: true, scheduling: 'lifo', timeout: 4000 })
const page = Buffer.alloc(4096, 'stamped ')
const ask = () => back === undefined ? Promise.resolve({}) : new Promise((resolve, reject) => {
  get(back, { agent }, (answer) => {
    answer.resume()
    answer.on('end', () => answer.statusCode === 200 ? resolve(answer.headers) : reject(new Error(answer.statusCode)))
  }).on('error', reject)
})
const listening = createServer(async (request, response) => {
  if (request.url === '/up') return response.writeHead(Number(health)).end()
  const headers = await ask().catch(() => null)
  if (headers === null) return response.writeHead(502).end()
  const stamps = Object.entries(headers).filter(([header]) => header.startsWith('x-stamp-'))
  response.writeHead(200, { ...Object.fromEntries(stamps), ['x-stamp-' + name]: release }).end(page)
}).listen(8080)
listening.keepAliveTimeout = 60000
process.on('SIGTERM', () => { listening.close(); listening.closeIdleConnections(); setTimeout(() => process.exit(), 500) })
`

/** Fills a folder with what the services are built from: this very Node with its libraries, so that nothing is fetched. */
export function writeStampedFiles(folder: string): void {
  const root = join(folder, 'root')
  const libraries = execFileSync('ldd', [process.execPath], { encoding: 'utf8' }).match(/\/\S+/g) ?? []
  for (const [from, to] of [
    [process.execPath, '/bin/node'] as const,
    ...libraries.map((file) => [file, file] as const),
  ]) {
    mkdirSync(dirname(join(root, to)), { recursive: true })
    copyFileSync(realpathSync(from), join(root, to))
  }
  writeFileSync(join(root, 'server.mjs'), server)
}

/** `front` is exposed and needs `back`: every answer tells the releases of both. */
export function writeStampedSystem(
  folder: string,
  { release, target, port, health = 200 }: StampedSystem,
): void {
  const service = (name: string, env: Readonly<Record<string, string>>, rest: object) => ({
    build: { base: 'scratch', copy: [{ from: 'root', to: '/' }], entrypoint: ['/bin/node', '/server.mjs'] },
    env: { NAME: name, RELEASE: release, ...env },
    port: 8080,
    health: { http: '/up', interval: '500ms', start: '5s' },
    stop: { grace: '5s' },
    ...rest,
  })
  const manifest = {
    system: 'stamped',
    services: {
      front: service(
        'front',
        { BACK: 'http://back:8080/', HEALTH: String(health) },
        { expose: true, needs: ['back'] },
      ),
      back: service('back', {}, {}),
    },
    environments: { staging: { target, ingress: port, watch: '0s' } },
  }
  writeFileSync(join(folder, 'basalt.yaml'), `${JSON.stringify(manifest, null, 2)}\n`)
}
