import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { NativeRecipe, RecipeBase, System } from '../core/system.ts'
import { invariant } from '../errors.ts'
import { impliedManifest } from './implied-manifest.ts'
import { initManifest, proposeManifest } from './init.ts'
import { loadManifest } from './load-manifest.ts'
import { parseManifest } from './parse-manifest.ts'

let folder: string

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'basalt-init-')), 'My Shop')
  await mkdir(folder)
})

afterEach(() => rm(dirname(folder), { recursive: true }))

async function put(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
}

/** The proposal for these files, read back by the parser that it must satisfy. */
async function propose(
  files: Readonly<Record<string, string>>,
): Promise<{ system: System; notes: readonly string[]; text: string }> {
  await put(files)
  const { text, notes } = await proposeManifest(folder)
  return { system: parseManifest(text, 'basalt.yaml'), notes, text }
}

function recipeOf(system: System, service: string): NativeRecipe<RecipeBase> {
  const source = system.services[service]?.source
  invariant(source?.kind === 'native', `${service} is not built`)
  return source.recipe
}

describe('proposeManifest', () => {
  it('reads a Node project’s start script, port and health path', async () => {
    const { system, notes, text } = await propose({
      'package.json': JSON.stringify({
        scripts: { start: 'node --enable-source-maps src/main.mjs' },
        dependencies: { a: '1' },
      }),
      'src/main.mjs': `if (url === '/healthz') ok(); server.listen(process.env.PORT ?? 4321)`,
    })
    expect(system.name).toBe('my-shop')
    expect(recipeOf(system, 'my-shop')).toMatchObject({
      base: { kind: 'debian', suite: 'bookworm' },
      packages: ['nodejs'],
      copy: [{ from: '.', to: '/app' }],
      workdir: '/app',
      entrypoint: ['/usr/bin/node', '--enable-source-maps', 'src/main.mjs'],
      user: '1000:1000',
    })
    expect(system.services['my-shop']).toMatchObject({
      run: { ports: [{ port: 4321 }], env: { PORT: '4321' }, health: { kind: 'http', path: '/healthz' } },
      expose: [{ host: '*', path: '/' }],
    })
    expect(notes).toEqual([expect.stringContaining('npm ci --omit=dev')])
    expect(text).toMatch(/^# yaml-language-server: \$schema=\S+\/schema\/basalt\.schema\.json\n/)
  })

  it('falls back to `main`, and says that a start script is not plain node', async () => {
    const { system, notes } = await propose({
      'package.json': JSON.stringify({ main: 'lib/run.js', scripts: { start: 'next start && x' } }),
      'lib/run.js': 'createServer().listen({ port: 3100 })',
    })
    expect(recipeOf(system, 'my-shop').entrypoint).toEqual(['/usr/bin/node', 'lib/run.js'])
    expect(system.services['my-shop']?.run.ports).toEqual([{ port: 3100, protocol: 'http' }])
    expect(notes).toEqual([expect.stringContaining('`next start && x` is not a plain')])
  })

  it('knows a lone server file, and bears a broken package.json', async () => {
    const lone = await propose({ 'server.mjs': 'listen(80)' })
    expect(recipeOf(lone.system, 'my-shop').entrypoint).toEqual(['/usr/bin/node', 'server.mjs'])
    const broken = await propose({ 'package.json': '{ not json' })
    expect(recipeOf(broken.system, 'my-shop').entrypoint).toEqual(['/usr/bin/node', 'server.mjs'])
  })

  it('turns Python requirements into Debian packages', async () => {
    const { system, notes } = await propose({
      'requirements.txt': '# web\nFlask>=2\nPyYAML==6.0\n-r other.txt\npsycopg2-binary\n\n',
      'app.py': "app = Flask(__name__)\n@app.route('/health')\ndef health(): pass\n",
    })
    expect(recipeOf(system, 'my-shop')).toMatchObject({
      packages: ['python3', 'python3-flask', 'python3-psycopg2', 'python3-yaml'],
      // Run by itself, this file would only declare the application, and end.
      entrypoint: '/usr/bin/python3 -m flask --app app.py run --host 0.0.0.0 --port 5000'.split(' '),
    })
    const running = await propose({ 'app.py': "app = Flask(__name__)\napp.run(host='0.0.0.0', port=5000)\n" })
    expect(recipeOf(running.system, 'my-shop').entrypoint).toEqual(['/usr/bin/python3', 'app.py'])
    expect(system.services['my-shop']?.run).toMatchObject({
      ports: [{ port: 5000 }],
      health: { path: '/health' },
      env: { PYTHONUNBUFFERED: '1' },
    })
    expect(notes).toEqual([
      expect.stringContaining('requirements.txt became'),
      expect.stringContaining('guess'),
    ])
  })

  it.each([
    ['app.run(port=5000)', true],
    ["app.run(host='0.0.0.0', port=5000)", false],
    ["HTTPServer(('127.0.0.1', 5000), Handler)", true],
    ["HTTPServer(('', 5000), Handler)", false],
    ["redis.Redis(host='localhost'); app.listen(5000)", false],
  ])('sees in %s whether nothing outside would reach it: %s', async (source, warns) => {
    const { notes } = await propose({ 'app.py': source })
    expect(notes.some((note) => note.includes('127.0.0.1 only'))).toBe(warns)
  })

  it('asks for an entrypoint where a Python project shows none', async () => {
    const { system, notes } = await propose({ 'pyproject.toml': '[project]' })
    expect(recipeOf(system, 'my-shop').entrypoint).toEqual(['/usr/bin/python3', 'main.py'])
    expect(notes.join('\n')).toMatch(/set the entrypoint[^]*pyproject.toml depends on/)
  })

  it('copies the program of a Go module or a Rust crate', async () => {
    const go = await propose({
      'go.mod': 'module example.org/team/hello/v2\n',
      'main.go': 'http.ListenAndServe(":9090", nil)',
    })
    expect(recipeOf(go.system, 'my-shop')).toMatchObject({
      base: { kind: 'scratch' },
      packages: [],
      copy: [{ from: 'bin/hello', to: '/usr/bin/hello' }],
      entrypoint: ['/usr/bin/hello'],
    })
    expect(go.system.services['my-shop']?.run.ports).toEqual([{ port: 9090, protocol: 'http' }])
    expect(go.notes[0]).toContain('go build -o bin/hello')
    await rm(join(folder, 'go.mod'))
    const rust = await propose({ 'Cargo.toml': '[package]\nname = "hi"\n' })
    expect(recipeOf(rust.system, 'my-shop')).toMatchObject({
      packages: ['libc6', 'libgcc-s1'],
      copy: [{ from: 'target/release/hi' }],
    })
    expect(rust.notes[0]).toContain('cargo build --release')
  })

  it('serves a static site', async () => {
    const { system } = await propose({ 'public/index.html': '<p>' })
    expect(recipeOf(system, 'my-shop')).toMatchObject({
      packages: ['busybox'],
      copy: [{ from: 'public', to: '/srv/www' }],
      entrypoint: ['/bin/busybox', 'httpd', '-f', '-p', '8080', '-h', '/srv/www'],
    })
  })

  it('makes a service of each subfolder that holds an application, and exposes the front one', async () => {
    const { system, text } = await propose({
      'api/server.py': 'serve(8000)',
      'web/package.json': '{}',
      'web/index.js': '',
      'services/billing/go.mod': 'module billing',
      'services/web/index.html': '',
      'node_modules/x/package.json': '{}',
      '.hidden/server.js': '',
      'docs/index.html': '',
    })
    expect(Object.keys(system.services)).toEqual(['api', 'web', 'billing', 'web-2'])
    expect(
      Object.entries(system.services)
        .filter(([, { expose }]) => expose.length > 0)
        .map(([name]) => name),
    ).toEqual(['web'])
    expect(recipeOf(system, 'billing').copy[0]?.from).toBe('services/billing/bin/billing')
    expect(text).toContain('# needs: [name]')
  })

  it('mentions files that it does not read', async () => {
    const { notes } = await propose({ 'compose.yaml': 'services: {}', 'index.html': '' })
    expect(notes).toEqual([expect.stringContaining('compose.yaml')])
  })

  it('builds what has a Dockerfile by that, at the port that it exposes', async () => {
    const { system, text } = await propose({
      'web/Dockerfile': 'FROM x\nEXPOSE 3000\n',
      'web/package.json': JSON.stringify({ scripts: { start: 'node server.js' } }),
      'api/Dockerfile': 'FROM x\n',
    })
    expect(system.services['web']).toMatchObject({
      source: { kind: 'dockerfile', recipe: { context: 'web' } },
      run: { ports: [{ port: 3000, protocol: 'http' }], health: { kind: 'http', path: '/' } },
    })
    expect(system.services['api']?.run.ports).toEqual([{ port: 8080, protocol: 'http' }])
    expect(text).toContain('the Dockerfile exposes no port')
  })

  it('writes down what a Dockerfile alone stands for', async () => {
    await put({ Dockerfile: 'FROM x\nEXPOSE 3000\n' })
    const dockerfile = join(folder, 'Dockerfile')
    for (const target of ['docker', 'local'] as const) {
      const { text } = await proposeManifest(folder, { target })
      const implied = await impliedManifest(dockerfile, target)
      expect(parseManifest(text, 'basalt.yaml')).toEqual(implied.system)
    }
  })

  it('leaves what it builds itself on this machine, and several services at the usual port', async () => {
    const place = async () =>
      parseManifest((await proposeManifest(folder, { target: 'docker' })).text, 'basalt.yaml').environments
    await put({ 'web/index.html': '' })
    expect(await place()).toMatchObject({ staging: { target: 'local', ingressPort: 8080 } })
    await put({ 'a/Dockerfile': 'FROM x\nEXPOSE 3000\n', 'b/Dockerfile': 'FROM x\nEXPOSE 3001\n' })
    expect(await place()).toMatchObject({ staging: { target: 'docker', ingressPort: 8080 } })
  })

  it('proposes something that can be filled in where there is nothing', async () => {
    const { system, notes } = await propose({})
    expect(recipeOf(system, 'my-shop').copy[0]?.from).toBe('public')
    expect(notes).toHaveLength(2)
  })

  it('is not led astray by folders and links of the names of files', async () => {
    await put({ 'package.json/x': '', 'app.py/x': '' })
    await symlink('/dev/zero', join(folder, 'requirements.txt'))
    await promisify(execFile)('mkfifo', [join(folder, 'main.py'), join(folder, 'server.js')])
    const { text } = await proposeManifest(folder)
    expect(() => parseManifest(text, 'f')).not.toThrow()
  })

  it('is valid whatever folders and scripts are called', async () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
      .filter((text) => !/[/\0]|^\.+$/.test(text) && Buffer.byteLength(text) < 200)
    await fc.assert(
      fc.asyncProperty(name, fc.string({ maxLength: 40 }), async (folderName, argument) => {
        const root = await mkdtemp(join(tmpdir(), 'basalt-init-'))
        try {
          const inner = join(root, folderName, `${folderName}x`)
          await mkdir(inner, { recursive: true })
          const scripts = { start: `node x.js ${argument}` }
          await writeFile(join(inner, 'package.json'), JSON.stringify({ scripts }))
          await writeFile(join(inner, 'server.js'), '')
          for (const place of [inner, dirname(inner)]) {
            const { text } = await proposeManifest(place)
            expect(() => parseManifest(text, 'f')).not.toThrow()
          }
        } finally {
          await rm(root, { recursive: true })
        }
      }),
      { numRuns: 150 },
    )
  })
})

describe('initManifest', () => {
  it('writes the proposal, and never over an existing file', async () => {
    const { file, text } = await initManifest(folder)
    expect(await readFile(file, 'utf8')).toBe(text)
    await loadManifest(folder)
    await writeFile(file, 'mine')
    await expect(initManifest(folder)).rejects.toMatchObject({ code: 'request.invalid' })
    expect(await readFile(file, 'utf8')).toBe('mine')
  })
})
