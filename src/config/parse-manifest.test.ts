import { describe, expect, it } from 'vitest'
import { BasaltError } from '../errors.ts'
import { exampleManifest } from './example-manifest.ts'
import { parseLocatedManifest, parseManifest } from './parse-manifest.ts'
import type { Problem } from './problem-list.ts'

const digest = `sha256:${'ab'.repeat(32)}`

/** One service `web` with these keys; enough else that nothing but them can be wrong. */
const withService = (keys: string): string =>
  `system: shop\nservices:\n  web:\n    image: ${digest}\n${indent(keys, 4)}\n`
const withBuild = (keys: string): string =>
  `system: shop\nservices:\n  web:\n    build:\n      entrypoint: [/bin/x]\n${indent(keys, 6)}\n`
const indent = (text: string, width: number): string =>
  text
    .split('\n')
    .map((line) => ' '.repeat(width) + line)
    .join('\n')

/** The error for a text, null for a valid one; any other error fails the test. */
function errorOf(text: string, file = 'basalt.yaml'): BasaltError | null {
  try {
    parseManifest(text, file)
    return null
  } catch (error) {
    if (error instanceof BasaltError && error.code === 'manifest.invalid') return error
    throw error
  }
}

const problemsOf = (text: string): readonly Problem[] =>
  (errorOf(text)?.details['problems'] ?? []) as readonly Problem[]

/** A text must be equal, a pattern must match. */
const like = (expected: string | RegExp): unknown =>
  typeof expected === 'string' ? expected : expect.stringMatching(expected)

/** `line:column fact | remedy` of every mistake. */
const mistakes = (text: string): readonly string[] =>
  problemsOf(text).map(({ line, column, message, remedy }) => `${line}:${column} ${message} | ${remedy}`)

const service = (keys: string) => parseManifest(withService(keys), 'basalt.yaml').services['web']
const recipe = (keys: string) => {
  const source = parseManifest(withBuild(keys), 'basalt.yaml').services['web']?.source
  return source?.kind === 'native' ? source.recipe : null
}

describe('parseManifest: a valid manifest', () => {
  it('fills in every default', () => {
    expect(parseManifest(`system: shop\nservices:\n  web: { image: "${digest}" }`, 'basalt.yaml')).toEqual({
      name: 'shop',
      services: {
        web: {
          source: { kind: 'image', digest },
          run: {
            command: null,
            env: {},
            ports: [],
            health: { kind: 'running', intervalMs: 2000, timeoutMs: 2000, startMs: 30_000, retries: 3 },
            needs: [],
            writable: [],
            volumes: [],
            stateful: false,
            limits: { memoryBytes: null, cpus: null, pids: 512 },
            user: null,
            capabilities: [],
            stop: { signal: 'SIGTERM', graceMs: 10_000 },
          },
          expose: [],
          replicas: 1,
          labels: {},
        },
      },
      environments: {
        staging: { target: 'local', ingressPort: 8080, services: {}, warmMs: 600_000, watchMs: 5000 },
      },
    })
  })

  it('reads the example of the reference', () => {
    const system = parseManifest(exampleManifest, 'basalt.yaml')
    expect(Object.keys(system.services)).toEqual(['web', 'api', 'cache'])
    expect(system.environments['production']).toMatchObject({ ingressPort: 80, warmMs: 1_800_000 })
    expect(system.environments['staging']?.services).toEqual({
      web: { replicas: 1, env: { LOG_LEVEL: 'debug' } },
    })
  })

  it('resolves a recipe', () => {
    const text = `base: debian
packages: [nodejs, ca-certificates, nodejs]
copy:
  - ./web/:/app
  - { from: ., to: /srv/, ignore: ["*.md"], mode: 0644, owner: 5 }
  - { from: a, to: /, mode: "755", owner: "1:2" }
env: { NODE_ENV: production, VERSION: 1.10, OLD: 0644, ON: yes, T: true }
workdir: /app/
user: 1000:1000
labels: { org.example.team: blue }`
    expect(recipe(text.replace('/srv/', '/srv'))).toEqual({
      base: { kind: 'debian', suite: 'bookworm' },
      packages: ['ca-certificates', 'nodejs'],
      copy: [
        { from: 'web', to: '/app', mode: null, uid: 0, gid: 0, ignore: [] },
        { from: '.', to: '/srv', mode: 0o644, uid: 5, gid: 5, ignore: ['*.md'] },
        { from: 'a', to: '/', mode: 0o755, uid: 1, gid: 2, ignore: [] },
      ],
      env: { NODE_ENV: 'production', VERSION: '1.10', OLD: '0644', ON: 'yes', T: 'true' },
      workdir: '/app',
      entrypoint: ['/bin/x'],
      user: '1000:1000',
      labels: { 'org.example.team': 'blue' },
    })
    expect(mistakes(withBuild(text))).toEqual([
      '10:26 `/srv/` ends with `/`, which leaves open what the copy is called | Write its full path: `/srv` for a folder, `/srv/.` for a file.',
    ])
  })

  it.each([
    ['scratch', { kind: 'scratch' }],
    ['debian:trixie', { kind: 'debian', suite: 'trixie' }],
    [digest, { kind: 'image', digest }],
    [`example.org/base@${digest}`, { kind: 'reference', reference: `example.org/base@${digest}` }],
    ['node:22-slim', { kind: 'reference', reference: 'node:22-slim' }],
    ['docker.io/library/debian:12', { kind: 'reference', reference: 'docker.io/library/debian:12' }],
    ['localhost:5000/base:1', { kind: 'reference', reference: 'localhost:5000/base:1' }],
  ])('takes %s as a base', (base, expected) => {
    expect(recipe(`base: ${base}`)?.base).toEqual(expected)
  })

  const imageOf = (image: string): unknown =>
    parseManifest(`system: a\nservices: { web: { image: "${image}" } }`, 'f').services['web']?.source

  it.each([
    `nginx@${digest}`,
    `nginx:1@${digest}`,
    'nginx',
    'nginx:1.25',
    'localhost:5000/team/web',
    '[::1]:5000/web:1',
  ])('takes %s as an image of a registry', (reference) => {
    expect(imageOf(reference)).toEqual({ kind: 'reference', reference })
  })

  it('takes a digest as an image of the store', () => {
    expect(imageOf(digest)).toEqual({ kind: 'image', digest })
  })

  it('lets an image as base bring the entrypoint', () => {
    const text = `system: a\nservices: { web: { build: { base: "${digest}" } } }`
    expect(parseManifest(text, 'f').services['web']?.source).toMatchObject({ recipe: { entrypoint: [] } })
  })

  it.each([
    ['port: 80', { kind: 'http', path: '/up', port: 80 }],
    ['port: 6379/tcp', { kind: 'tcp', port: 6379 }],
    ['', { kind: 'running' }],
    ['port: 80\nhealth: /ok', { kind: 'http', path: '/ok', port: 80, retries: 3 }],
    ['port: 80\nhealth: running', { kind: 'running' }],
    [
      'ports: [80, 90]\nhealth: { http: /ok, port: 90, interval: 1m30s }',
      { path: '/ok', port: 90, intervalMs: 90_000 },
    ],
    ['ports: [80, 90]\nhealth: { port: 90 }', { kind: 'http', path: '/up', port: 90 }],
    ['port: 80\nhealth: { tcp: 80, timeout: 500ms }', { kind: 'tcp', port: 80, timeoutMs: 500 }],
    [
      'health: { command: redis-cli ping, start: 1h }',
      { kind: 'command', command: ['redis-cli', 'ping'], startMs: 3_600_000 },
    ],
    ['port: 80\nhealth: { retries: 5 }', { kind: 'http', path: '/up', port: 80, retries: 5 }],
  ])('resolves the health of %j', (keys, expected) => {
    expect(service(keys)?.run.health).toMatchObject(expected)
  })

  it.each([
    ['true', [{ kind: 'http', host: '*', path: '/', port: 80, entryPort: null }]],
    ['false', []],
    ['[]', []],
    ['Shop.localhost', [{ kind: 'http', host: 'shop.localhost', path: '/', port: 80, entryPort: null }]],
    ['/api/', [{ kind: 'http', host: '*', path: '/api', port: 80, entryPort: null }]],
    ['a.b/c/d', [{ kind: 'http', host: 'a.b', path: '/c/d', port: 80, entryPort: null }]],
    [
      '{ host: a.b, port: 81, listen: 9090 }',
      [{ kind: 'http', host: 'a.b', path: '/', port: 81, entryPort: 9090 }],
    ],
    ['{ tcp: 5432 }', [{ kind: 'tcp', port: 5432, entryPort: 5432 }]],
    ['{ tcp: 15432 }', [{ kind: 'tcp', port: 4000, entryPort: 15_432 }]],
    ['{ tcp: 15432, port: 5432 }', [{ kind: 'tcp', port: 5432, entryPort: 15_432 }]],
    ['[a.b, { tcp: 5432 }]', [{ host: 'a.b' }, { kind: 'tcp' }]],
  ])('resolves expose: %s', (expose, expected) => {
    const { expose: actual } =
      service(`ports: [80, 81, 4000/tcp, { port: 5432, protocol: tcp }]\nexpose: ${expose}`) ?? {}
    expect(actual).toMatchObject(expected)
    expect(actual).toHaveLength(expected.length)
  })

  it('resolves the rest of a service', () => {
    expect(
      service(`command: ['sh', -c, "echo $X", 10, 0.10]
env: { A: 1e3, B: 0x10, C: "", D: .inf }
writable: [/tmp/, { path: /run, size: 16M }, { path: /dev/shm, size: 65536 }]
volumes: { data: /data }
stateful: true
limits: { memory: 1.5G, cpus: 0.5, pids: 10 }
user: 1000
capabilities: [net_bind_service, CAP_CHOWN, CHOWN]
stop: { signal: INT, grace: 0s }
labels: { team: 7 }`),
    ).toMatchObject({
      run: {
        command: ['sh', '-c', 'echo $X', '10', '0.10'],
        env: { A: '1e3', B: '0x10', C: '', D: '.inf' },
        writable: [
          { path: '/tmp', sizeBytes: 64 * 1024 ** 2 },
          { path: '/run', sizeBytes: 16 * 1024 ** 2 },
          { path: '/dev/shm', sizeBytes: 65_536 },
        ],
        volumes: [{ name: 'data', path: '/data' }],
        stateful: true,
        limits: { memoryBytes: 1.5 * 1024 ** 3, cpus: 0.5, pids: 10 },
        user: '1000',
        capabilities: ['CAP_CHOWN', 'CAP_NET_BIND_SERVICE'],
        stop: { signal: 'SIGINT', graceMs: 0 },
      },
      labels: { team: '7' },
    })
  })

  it('understands anchors, merge keys and `x-` keys, and texts stay as written through them', () => {
    const system = parseManifest(
      `x-common: &common { A: 1.10, B: 2 }
x-more: &more { B: 3, C: 0644 }
system: shop
services:
  web: &web
    image: ${digest}
    env: { <<: [*common, *more], A: own }
  api:
    <<: *web
    needs: [web]
environments:
  staging:
`,
      'basalt.yaml',
    )
    expect(system.services['web']?.run.env).toEqual({ A: 'own', B: '2', C: '0644' })
    expect(system.services['api']?.run).toMatchObject({
      env: { A: 'own', B: '2', C: '0644' },
      needs: ['web'],
    })
    expect(system.environments['staging']?.ingressPort).toBe(8080)
  })

  it('allows needs in a circle', () => {
    const text = `system: a\nservices:\n  x: { image: "${digest}", needs: [y] }\n  y: { image: "${digest}", needs: [x] }`
    expect(parseManifest(text, 'f').services['y']?.run.needs).toEqual(['x'])
  })

  it('resolves the overrides of environments', () => {
    const text = `${withService('ports: [80, 9/tcp]\nexpose: a.b')}environments:
  production:
    target: local
    ingress: 80
    warm: 1h
    watch: 0s
    services:
      web: { replicas: 3, env: { A: 1.0 }, limits: { memory: 64M }, expose: [c.d, { tcp: 9 }] }
`
    expect(parseManifest(text, 'f').environments).toEqual({
      production: {
        target: 'local',
        ingressPort: 80,
        warmMs: 3_600_000,
        watchMs: 0,
        services: {
          web: {
            replicas: 3,
            env: { A: '1.0' },
            limits: { memoryBytes: 64 * 1024 ** 2 },
            expose: [
              { kind: 'http', host: 'c.d', path: '/', port: 80, entryPort: null },
              { kind: 'tcp', port: 9, entryPort: 9 },
            ],
          },
        },
      },
    })
  })

  it('remembers places for later stages', () => {
    const { locate } = parseLocatedManifest(withBuild('base: debian\npackages: [nodejs, redis]'), 'f')
    expect(locate(['services', 'web', 'build', 'packages', 'redis'])).toEqual({ line: 7, column: 26 })
    expect(locate(['services', 'web', 'build', 'packages', 0])).toEqual({ line: 7, column: 18 })
    expect(locate(['services', 'web', 'build', 'base'])).toEqual({ line: 6, column: 13 })
    expect(locate(['services', 'web', 'health', 'interval'])).toEqual({ line: 3, column: 3 })
    expect(locate(['environments', 'staging'])).toEqual({ line: 1, column: 1 })
  })
})

describe('parseManifest: mistakes', () => {
  it('lists those beside another one in the same block', () => {
    const found = mistakes(`system: shop
services:
  f: { image: "${digest}" }
  a:
    build: { base: scratch, packages: [x, nodejs], entrypoint: "a && b", copy: [{ from: ../x, to: /y }, "a:/b/"] }
    ports: [99999999, 80, 80]
    stop: { signal: SIGFOO, grace: 5 }
    limits: { memory: 1M, cpus: 0 }
    needs: [5, nope, f, f]
    health: { http: up, start: 0s, retries: 900 }
`)
    expect(found).toEqual([
      expect.stringContaining('packages cannot be added to the base `scratch`'),
      expect.stringContaining('packages[0]'),
      expect.stringContaining('uses shell syntax'),
      expect.stringContaining('copy[0].from'),
      expect.stringContaining('ends with `/`'),
      expect.stringContaining('ports[0]'),
      expect.stringContaining('port 80 is listed twice'),
      expect.stringContaining('`SIGFOO` is not a signal that ends a process | Write for example `SIGTERM`.'),
      expect.stringContaining('stop.grace'),
      expect.stringContaining('1M of memory is out of range'),
      expect.stringContaining('limits.cpus'),
      expect.stringContaining('needs[0]'),
      expect.stringContaining('there is no service `nope`'),
      expect.stringContaining('`f` is listed twice'),
      expect.stringContaining('health.http'),
      expect.stringContaining('`start` is zero'),
      expect.stringContaining('health.retries'),
    ])
  })

  it('lists all at once, in order, with places', () => {
    const text = `system: shop
services:
  web:
    image: Nginx:1.25
    replica: 2
    needs: [appi, web]
    env: { 1X: a, B: }
  api:
    image: ${digest}
    stateful: yes
    port: "8080:80"
environments:
  staging: { target: locl, services: { wep: {} } }
`
    expect(problemsOf(text).map(({ line, column, message }) => `${line}:${column} ${message}`)).toEqual([
      '4:12 "Nginx:1.25" is no image reference: its repository must be in lower case',
      '5:5 `replica` is not known here',
      '6:13 there is no service `appi`',
      '6:19 `web` needs itself',
      '7:12 `1X` must be a variable name of letters, digits and `_` that does not begin with a digit',
      '7:19 `services.web.env.B` is empty',
      '10:15 `services.api.stateful` is the text `yes`',
      '11:11 `services.api.port` is the text `8080:80`',
      '13:22 `environments.staging.target` is the text `locl`',
      '13:40 there is no service `wep`',
    ])
    const error = errorOf(text, 'dir/basalt.yaml')
    expect(error?.message).toContain('dir/basalt.yaml has 10 mistakes:\n')
    expect(error?.message).toContain(
      '\ndir/basalt.yaml:5:5: `replica` is not known here; did you mean `replicas`?\n',
    )
    expect(error?.message).toMatch(/:4:12: .*lower case\. Write \[registry\/\]repository/)
    expect(error?.remedy).toContain('basalt validate')
  })

  it.each([
    ['depends_on: [x]', '5:5 `depends_on` is not known here | Write `needs`.'],
    ['entrypoint: [x]', '5:5 `entrypoint` is not known here | Write it in `build`, or write `command` here.'],
    ['replicas: 0', '5:15 `services.web.replicas` is `0` | It must be a whole number from 1 to 1000.'],
    [
      'replicas: two',
      '5:15 `services.web.replicas` is the text `two` | It must be a whole number from 1 to 1000.',
    ],
    ['port: 0', /^5:11 `services.web.port` is `0` \| It must be a port number/],
    ['port: 70000', /^5:11 `services.web.port` is `70000`/],
    ['port: 70000/tcp', '5:11 70000 is not a port | Ports go from 1 to 65535.'],
    ['ports: [80, 80/tcp]', '5:17 port 80 is listed twice | Keep one of them.'],
    ['port: 80\nports: [81]', '6:5 `port` and `ports` are both given | Put all of them into `ports`.'],
    ['health: up', /^5:13 `services.web.health` is the text `up`/],
    ['health: /up', '5:13 there is no port to ask | Declare `port`, or write `health: running`.'],
    [
      'port: 80\nhealth: { tcp: 81 }',
      '6:20 port 81 is not one of the service’s ports | Add it to `ports`; declared: 80.',
    ],
    [
      'port: 80\nhealth: { tcp: 80, http: /x }',
      '6:15 `http` and `tcp` are both given | Keep one way to ask.',
    ],
    ['port: 80\nhealth: { htp: /x }', '6:15 `htp` is not known here | did you mean `http`?'],
    [
      'port: 80\nhealth: { interval: 0s }',
      '6:25 `interval` is zero | Write a longer duration, such as `2s`.',
    ],
    ['port: 80\nhealth: { interval: 5 }', /^6:25 .* is `5` \| It must be a duration with its unit/],
    ['port: 80\nhealth: { start: 25d }', '6:22 `25d` is longer than 24 days | Write at most `24d`.'],
    ['expose: true', /^5:13 the service has no http port to expose/],
    [
      'port: 80\nexpose: { tcp: 9000 }',
      /^6:5 the service has no tcp port to expose \| Declare it with `port: 9000\/tcp`/,
    ],
    ['port: 80\nexpose: { port: 81 }', /^6:21 81 is not one of the service’s http ports/],
    ['port: 9/tcp\nexpose: { tcp: 9, host: a }', /^6:23 `host` does not go with `tcp`/],
    ['port: 80\nexpose: shop.localhost:8080', /^6:13 /],
    ['port: 80\nexpose: a..b', /^6:13 `a\.\.b` is not a host and path/],
    ['port: 80\nexpose: /a/../b', /^6:13 `\/a\/\.\.\/b` is not a host and path/],
    [
      'writable: [tmp]',
      /^5:16 `services.web.writable\[0\]` is the text `tmp` \| It must be an absolute path/,
    ],
    ['writable: [/a/../b]', /^5:16 /],
    [
      'writable: [/tmp, /tmp/x]',
      '5:22 `/tmp/x` and `/tmp` lie in one another | Keep the outer one, or choose paths beside each other.',
    ],
    ['writable: [/tmp, /tmp/]', /^5:22 `\/tmp` is mounted twice/],
    ['writable: [/]', /^5:16 `\/` belongs to the runtime \| The root stays read-only/],
    ['writable: [/proc/x]', /^5:16 /],
    ['writable: [{ path: /a, size: 10 }]', /^5:34 10 is no useful size/],
    ['volumes: { d: /d }', /^5:5 volumes need a stateful service/],
    ['stateful: true\nvolumes: { d: /d/e }\nwritable: [/d]', /^6:19 `\/d\/e` and `\/d` lie in one another/],
    [
      'stateful: true\nreplicas: 2',
      '6:15 a stateful service has one instance only | Write `replicas: 1`, or remove `stateful`.',
    ],
    ['limits: { memory: lots }', /^5:23 .* is the text `lots` \| It must be a size/],
    ['limits: { memory: 1M }', /^5:23 1M of memory is out of range/],
    ['limits: { cpus: 0 }', /^5:21 /],
    [
      'capabilities: [NET_BIND_SERVIC]',
      '5:20 `NET_BIND_SERVIC` is not a Linux capability | did you mean `NET_BIND_SERVICE`?',
    ],
    ['capabilities: [ALL]', /Name each one that is needed/],
    [
      'stop: { signal: SIGTREM }',
      '5:21 `SIGTREM` is not a signal that ends a process | did you mean `SIGTERM`?',
    ],
    ['user: Root User', /^5:11 /],
    ['user: 4294967295', /^5:11 `4294967295` is beyond the largest id/],
    [
      'command: npm start && x',
      /^5:14 `npm start && x` uses shell syntax, and no shell runs here \| Write a list; .*\[sh, -c, "npm start && x"\]/,
    ],
    ['command: A=b x', /^5:14 .*uses shell syntax/],
    ['command: "x \'y"', /^5:14 .*a quote that is not closed/],
    ['command: []', /^5:5 .*is an empty list/],
    ['command: ["", x]', /^5:15 the program has no name/],
    ['env: [A=b]', /^5:5 `services.web.env` is a list \| It must be a block of `NAME: value` lines/],
    ['env: { A: { b: c } }', /^5:12 `services.web.env.A` is a block of keys/],
    ['build: .', '4:5 `build` and `image` are both given | Keep one of them.'],
    ['build: { context: . }', '4:5 `build` and `image` are both given | Keep one of them.'],
    ['build: { base: scratch }', '4:5 `build` and `image` are both given | Keep one of them.'],
  ])('%j', (keys, expected) => {
    const found = mistakes(withService(keys))
    expect(found).toHaveLength(1)
    expect(found[0]).toEqual(like(expected))
  })

  it.each([
    ['base: node', /^6:13 .*an image with its tag or digest/],
    ['base: debian:12', /^6:13 .*`docker.io\/library\/debian:12`/],
    ['base: sha256:12', /^6:13 .*`sha256:…` of one in the store/],
    ['base: Node:22', /^6:13 "Node:22" is no image reference: its repository must be in lower case/],
    ['packages: [nodejs]', /^4:5 `services.web.build` has no `base`/],
    ['base: scratch\npackages: [nodejs]', /^7:7 packages cannot be added to the base `scratch`/],
    ['base: debian\npackages: [NodeJS]', /^7:18 .*Debian package/],
    ['base: debian\ncopy: [../x:/a]', /^7:14 /],
    ['base: debian\ncopy: ["/etc:/a"]', /^7:14 /],
    ['base: debian\ncopy: [{ from: a/../../b, to: /a }]', /^7:22 .*without `\.\.`/],
    ['base: debian\ncopy: [{ from: a, to: rel }]', /^7:29 .*absolute path/],
    ['base: debian\ncopy: [{ from: a }]', /^7:14 `services.web.build.copy\[0\]` has no `to`/],
    ['base: debian\ncopy: [{ from: a, to: /a, mode: "999" }]', /^7:39 .*octal/],
    ['base: debian\ncopy: a:/b', /^7:13 .*a list of/],
    ['base: debian\nworkdir: app', /^7:16 /],
    ['base: debian\nrun: apt-get install x', /no command runs while an image is built/],
  ])('in a recipe: %j', (keys, expected) => {
    const found = mistakes(withBuild(keys))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(expected)
  })

  it.each([
    ['', '1:1 the manifest is empty | It must be a block with `system` and `services`.'],
    ['- a', '1:1 the manifest is a list | It must be a block with `system` and `services`.'],
    ['system: a\nservices: {}', '2:1 there is no service | Declare at least one service.'],
    ['system: a\nservices:', /^2:1 `services` is empty/],
    ['system: a\nservices:\n  web:', /^3:3 `services.web` is empty/],
    ['system: a\nservices:\n  web: {}', /^3:3 the service has neither `build` nor `image`/],
    ['system: a\nservices:\n  web: { build: { base: scratch } }', /^3:10 there is nothing to run/],
    [`system: a\nservices:\n  Web: { image: "${digest}" }`, /^3:3 `Web` must be a name/],
    [`system: a\nservices:\n  localhost: { image: "${digest}" }`, /^3:3 `localhost` always means/],
    [`system: A\nservices:\n  web: { image: "${digest}" }`, /^1:9 `system` is the text `A`/],
    [`services:\n  web: { image: "${digest}" }`, /^1:1 the manifest has no `system`/],
    [`system: a\nservices:\n  web: { image: "${digest}" }\nenvironments: {}`, /^4:1 there is no environment/],
    [
      `system: a\nservices:\n  web: { image: "${digest}" }\nsystem: b`,
      /^4:1 `system` is written twice in one block \| .*line 1/,
    ],
    ['system: a\n\tb: 1', /^2:1 not YAML: .*\| Indent with spaces/],
    ['system: [a', /^1:/],
    ['system: "a\\q"', /^1:11 not YAML: .*escape/],
    ['system: a: b', /^1:9 a second `: ` in one line/],
    ['system: a\n---\nsystem: b', /^2:1 a second document begins here/],
    ['system: !secret a', /^1:9 .*Remove the tag/],
    ['system: *a', /^1:9 no anchor `&a`/],
    ['x-a: &a [*a]\nsystem: *a', /^1:10 `\*a` contains itself/],
    ['x-a: { <<: 3 }', /^1:12 `<<` must name a block/],
    ['? [a]\n: b', /^1:3 a key must be a plain text/],
    ['__proto__: {}', /^1:1 `__proto__` cannot be a key/],
    ['system: "a\\0"', /^1:9 a text contains NUL/],
    ['system: "\\uD800"', /^1:9 a text contains NUL or half a character/],
  ])('in the whole: %j', (text, expected) => {
    const found = mistakes(text)
    expect(found).toContainEqual(like(expected))
    expect(found.length).toBeLessThanOrEqual(3)
  })

  it('lists those beside what YAML allows and Basalt does not', () => {
    const text = `x-more: &more { A: *nope, [b]: c }
system: shop
services:
  web:
    image: ${digest}
    image: ${digest}
    replicas: 0
    needs: [api, *nope]
    env: { <<: *more, B: [], C: "a\\0" }
    limits: { memory: 1M, <<: 3 }
    stop: { signal: FOO }
  api: *nope
  base: { <<: *nope, port: x }
environments:
  staging: { [a]: b, ingress: 0 }
  production: { warm: 25d }
`
    expect(mistakes(text).map((line) => line.split(' | ')[0])).toEqual([
      '1:20 no anchor `&nope` stands before this alias',
      '1:27 a key must be a plain text',
      '6:5 `image` is written twice in one block',
      '7:15 `services.web.replicas` is `0`',
      '8:18 no anchor `&nope` stands before this alias',
      '9:23 `services.web.env.B` is an empty list',
      '9:33 a text contains NUL or half a character',
      '10:23 1M of memory is out of range',
      '10:31 `<<` must name a block of keys',
      '11:21 `FOO` is not a signal that ends a process',
      '12:8 no anchor `&nope` stands before this alias',
      '13:15 no anchor `&nope` stands before this alias',
      '13:28 `services.base.port` is the text `x`',
      '15:14 a key must be a plain text',
      '15:31 `environments.staging.ingress` is `0`',
      '16:23 `25d` is longer than 24 days',
    ])
  })

  it('a volume has one writer', () => {
    const text = `system: a
services:
  one: { image: "${digest}", stateful: true, volumes: { data: /data } }
  two: { image: "${digest}", stateful: true, volumes: { data: /srv } }`
    expect(mistakes(text)).toEqual([
      expect.stringMatching(/^4:\d+ volume `data` is already written by `one` \| Give it another name/),
    ])
  })

  it('names of JavaScript’s own objects are ordinary names', () => {
    expect(mistakes(withService('needs: [constructor]'))).toEqual([
      '5:13 there is no service `constructor` | Services are `web`.',
    ])
    const text = `system: a\nservices: { constructor: { image: "${digest}" } }`
    expect(Object.keys(parseManifest(text, 'f').services)).toEqual(['constructor'])
  })

  it('YAML 1.1 cannot be switched on', () => {
    const text = `%YAML 1.1\n---\nsystem: a\nservices: { web: { image: "${digest}", env: { A: yes } } }`
    expect(parseManifest(text, 'f').services['web']?.run.env).toEqual({ A: 'yes' })
  })
})

describe('parseManifest: ways into an environment', () => {
  const two = (first: string, second: string, environments = ''): string => `system: shop
services:
  one: { image: "${digest}", ports: [80, 9/tcp], expose: ${first} }
  two: { image: "${digest}", ports: [80, 9/tcp], expose: ${second} }
${environments}`
  const column = `  two: { image: "${digest}", ports: [80, 9/tcp], expose: `.length + 1

  it.each([
    ['a.b', 'a.b/', `4:${column} \`a.b:8080/\` already leads to \`one\``],
    ['{ tcp: 9 }', '{ tcp: 9 }', /^4:\d+ entry port 9 is already TCP of `one`/],
    ['a.b', '{ tcp: 8080 }', /^4:\d+ entry port 8080 is already the ingress of `staging`/],
    ['{ tcp: 99 }', '{ listen: 99 }', /^3:\d+ entry port 99 is already HTTP of `two`/],
    ['true', '{ listen: 8080 }', /^4:\d+ `\*:8080\/` already leads to `one`/],
    ['[/a, /a]', 'false', /^3:\d+ `\*:8080\/a` already leads to `one`/],
  ])('%s and %s', (first, second, expected) => {
    const found = mistakes(two(first, second))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(expected)
  })

  it.each([
    ['a.b', 'a.b/c'],
    ['a.b', 'true'],
    ['a.b', '{ host: a.b, listen: 9090 }'],
    ['{ tcp: 9 }', '{ tcp: 10 }'],
  ])('%s and %s go together', (first, second) => {
    expect(mistakes(two(first, second))).toEqual([])
  })

  it('are judged with the overrides of each environment', () => {
    const apart = 'environments:\n  x: { services: { two: { expose: c.d } } }'
    expect(mistakes(two('a.b', 'a.b', apart))).toEqual([])
    const together = 'environments:\n  x: {}\n  y: { services: { two: { expose: a.b } } }'
    expect(mistakes(two('a.b', 'c.d', together))).toEqual([
      '7:35 `a.b:8080/` already leads to `one` | Give one of them another host or path.',
    ])
    const stateful = `${withService('stateful: true')}environments:\n  x: { services: { web: { replicas: 2 } } }`
    expect(mistakes(stateful)).toEqual([
      '7:37 a stateful service has one instance only | Write `replicas: 1`, or remove it here.',
    ])
  })
})
