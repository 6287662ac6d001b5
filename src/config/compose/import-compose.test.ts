import { describe, expect, it } from 'vitest'
import { parseManifest } from '../parse-manifest.ts'
import { imported, mistakesOf } from './imported.fixture.ts'
import { serviceRules } from './rules/service-rules.ts'
import { topLevelRules } from './rules/top-level-rules.ts'

describe('what a Compose file may say', () => {
  it.each([
    ['service: {}', 'compose.yaml:1:1: `service` is not a key of Compose. did you mean `services`?'],
    [
      'services: { a: { imag: x } }',
      'compose.yaml:1:18: `services.a.imag` is not a key of Compose. did you mean `image`?',
    ],
    [
      'services:\n  a:\n    image: x\n    healthcheck: { intervall: 5s }',
      'compose.yaml:4:20: `services.a.healthcheck.intervall` is not a key of Compose. did you mean `interval`?',
    ],
    [
      'services:\n  a:\n    image: x\n    ports:\n      - { targget: 80 }',
      'compose.yaml:5:11: `services.a.ports[].targget` is not a key of Compose. did you mean `target`?',
    ],
    [
      'services: { a: { image: x, bananas: 1 } }',
      'compose.yaml:1:28: `services.a.bananas` is not a key of Compose. The Compose Specification has no such key here.',
    ],
    ['services: []', 'compose.yaml:1:1: `services` is a list. It must be a block of keys.'],
    ['services: { a: x }', 'compose.yaml:1:16: `services.a` is a text. It must be a block of keys.'],
    [
      'services: { a: { image: [x] } }',
      'compose.yaml:1:18: `services.a.image` is a list. It must be a text.',
    ],
    [
      'services: { a: { image: x, cap_add: [[y]] } }',
      'compose.yaml:1:38: an item of `services.a.cap_add` is a list. It must be a text.',
    ],
    [
      'services: { "a b": { image: x } }',
      'compose.yaml:1:13: `services.a b` is not a name. Use letters, digits, `.`, `_` and `-`.',
    ],
    ['- a', 'compose.yaml:1:1: the file holds no block of keys. A Compose file begins with `services:`.'],
    [
      'services: { a: { image: x, ports: !reset [] } }',
      expect.stringMatching(/^compose.yaml:1:35: not YAML: .* Remove the tag/),
    ],
    [
      'services: { a: { image: "x:${TAG:?no tag}" } }',
      'compose.yaml:1:25: the variable `TAG` is required: no tag. Set it in the shell or in .env beside the Compose file: `TAG=…`.',
    ],
    [
      'services: { a: { image: x, ports: ["$APP_TOKEN:80"] } }',
      expect.stringMatching(/^compose.yaml:1:36: `APP_TOKEN` looks like a secret/),
    ],
    [
      'services: { a: { image: x, env_file: gone.env } }',
      expect.stringMatching(/^compose.yaml:1:38: gone.env does not exist/),
    ],
    ['include: [gone.yaml]', expect.stringMatching(/^compose.yaml:1:11: gone.yaml does not exist/)],
    ['include: [{}]', 'compose.yaml:1:11: an include names no file. Write `path`.'],
    ['include: [compose.yaml]', expect.stringMatching(/^compose.yaml:1:11: compose.yaml includes itself/)],
    ['services: { a: { extends: a } }', expect.stringMatching(/^compose.yaml:1:27: `a` extends itself/)],
    [
      'services: { a: { extends: { file: gone.yaml, service: b } } }',
      expect.stringMatching(/^compose.yaml:1:35: gone.yaml does not exist/),
    ],
    [
      'services: { web: { image: a }, a: { extends: wep } }',
      'compose.yaml:1:46: there is no service `wep` in compose.yaml. did you mean `web`?',
    ],
    ['services: { a: { extends: {} } }', expect.stringMatching(/`extends` names no service/)],
  ])('%s', async (compose, wanted) => {
    expect(await mistakesOf(compose)).toEqual([wanted])
  })

  it('is complained of with all mistakes of all files at once', async () => {
    const mistakes = await mistakesOf(
      'include: [b.yaml]\nservices:\n  a: { imge: x }\n  c: { extends: { file: c.yaml, service: d } }',
      { 'b.yaml': 'services: { b: { image: [x] } }', 'c.yaml': 'services:\n  d: { ports: {} }', '.env': '=' },
    )
    expect(mistakes.map((mistake) => mistake.split(': ')[0])).toEqual([
      '.env:1:1',
      'b.yaml:1:18',
      'c.yaml:2:8',
      'compose.yaml:3:8',
    ])
  })

  it('is refused when included files name the same service', async () => {
    expect(
      await mistakesOf('include: [b.yaml]\nservices: { a: { image: a:1 } }', {
        'b.yaml': 'services: { a: { image: b:1 } }',
      }),
    ).toEqual([
      'b.yaml:1:13: the service `a` is also in compose.yaml:2. Rename one of them: included files are not merged.',
    ])
  })

  it('is bounded', async () => {
    const aliases = ['x-a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let level = 1; level < 8; level++)
      aliases.push(
        `x-a${level}: &a${level} [${Array(10)
          .fill(`*a${level - 1}`)
          .join(', ')}]`,
      )
    expect((await mistakesOf(aliases.join('\n'))).join()).toMatch(/aliases multiply the file/)

    const services = Array.from({ length: 700 }, (_, index) =>
      index === 0
        ? `  s0: { image: a, cap_add: [${Array.from({ length: 400 }, (_, item) => `c${item}`).join(', ')}] }`
        : `  s${index}: { extends: s${index % 40 === 0 ? 0 : index - 1} }`,
    )
    expect((await mistakesOf(`services:\n${services.join('\n')}`)).join()).toMatch(/multiplies the project/)

    const mounts = Array.from({ length: 5001 }, (_, index) => `/m${index}`).join(', ')
    expect((await mistakesOf(`services: { a: { image: a, volumes: [${mounts}] } }`)).join()).toMatch(
      /more than 5000 items/,
    )

    const many = Array.from({ length: 1001 }, (_, index) => `  s${index}: { image: a }`)
    expect((await mistakesOf(`services:\n${many.join('\n')}`)).join()).toMatch(/more than 1000 services/)

    const doubling = Array.from({ length: 30 }, (_, index) => `A${index + 1}=$A${index}$A${index}`)
    const dotenv = ['A0=xxxxxxxxxx', ...doubling].join('\n')
    expect((await mistakesOf('services: {}', { '.env': dotenv })).join()).toMatch(/longer than 64 KiB/)
  })
})

describe('merging', () => {
  it('puts what extends over what is extended, by the rules of the Specification', async () => {
    const base = `services:
  base:
    image: a:1
    command: [old, words]
    environment: { A: 1, B: 2 }
    labels: [x=1]
    ports: ["80:80"]
    volumes: ["d:/d", "d2:/other"]
    cap_add: [CHOWN]
    env_file: base.env
    healthcheck: { test: [CMD, old], interval: 1s }
    depends_on: [z]`
    const { services } = await imported(
      `services:
  z: { image: z:1 }
  y: { image: y:1 }
  a:
    extends: { file: sub/base.yaml, service: base }
    command: new
    entrypoint: [/e]
    environment: [B=3, C=4]
    labels: { y: 2 }
    ports: ["80:80", "81:81"]
    volumes: ["e:/d"]
    cap_add: [CHOWN, KILL]
    healthcheck: { test: [CMD, new] }
    depends_on: { y: { condition: service_started } }
volumes: { d: , d2: , e: }`,
      { 'sub/base.yaml': base, 'sub/base.env': 'FROM_FILE=here' },
    )
    expect(services['a']).toMatchObject({
      image: 'a:1',
      command: ['/e', 'new'],
      env: { A: '1', B: '3', C: '4', FROM_FILE: 'here' },
      labels: { x: '1', y: '2' },
      ports: [80, 81],
      volumes: { e: '/d', d2: '/other' },
      capabilities: ['CHOWN', 'KILL'],
      health: { command: ['new'], interval: '1s' },
      needs: ['z', 'y'],
    })
  })

  it('reads included files with their own folder and variables', async () => {
    const { services, environments } = await imported(
      'include: [{ path: [sub/one.yaml, sub/two.yaml] }]\nservices: { a: { image: "a:$TAG", depends_on: [b] } }',
      {
        '.env': 'TAG=outer',
        'sub/.env': 'TAG=inner\nONLY=mine',
        'sub/one.yaml':
          'services: { b: { build: ctx, ports: ["$PORT:80"], environment: { T: $TAG, O: $ONLY } } }',
        'sub/two.yaml': 'services: { b: { environment: { TWO: 2 } } }',
      },
      { PORT: '99' },
    )
    expect(services['a']?.['image']).toBe('a:outer')
    expect(services['b']).toMatchObject({ build: './sub/ctx', env: { T: 'outer', O: 'mine', TWO: '2' } })
    expect(environments['staging']?.['ingress']).toBe(99)
  })
})

describe('variables', () => {
  it('come from the shell, then from .env', async () => {
    const { services, told } = await imported(
      'services: { a: { image: "a:$A-$B-${C:-c}-x$D", environment: [E, F] } }',
      { '.env': 'A=dotenv\nB=dotenv\nE=e' },
      { A: 'shell' },
    )
    expect(services['a']).toMatchObject({ image: 'a:shell-dotenv-c-x', env: { E: 'e' } })
    expect(told(null).join('\n')).toMatch(/\$\{A\}: its value of now.*\n.*\n.*\n.*\$\{D\}: it is not set/)
  })
})

describe('secrets', () => {
  const secret = 'Tr0ub4dor-and-3'
  it.each([
    `environment: { DB_PASSWORD: ${secret} }`,
    `environment: [API_KEY=${secret}]`,
    `environment: { URL: "postgres://u:${secret}@db/x" }`,
    `environment: { PLAIN: "$THE_SECRET" }`,
    `environment: { PLAIN: "\${X:-\${THE_SECRET}}" }`,
    'environment: { PLAIN: "${DB_PASSWORD:-Tr0ub4dor-and-3}" }',
    'environment: [THE_SECRET]',
    'env_file: a.env',
    `command: serve --password=${secret}`,
    `command: [redis-server, --requirepass, ${secret}]`,
    'command: serve $THE_SECRET',
    'entrypoint: [serve, "$THE_SECRET"]',
    `healthcheck: { test: "curl -f http://u:${secret}@localhost/" }`,
    'healthcheck: { test: [CMD, check, "$THE_SECRET"] }',
    'labels: [auth=$THE_SECRET]',
    `labels: { app.token: ${secret} }`,
    'build: { args: [THE_SECRET] }',
    `build: { args: { NPM_TOKEN: ${secret} } }`,
    'user: $THE_SECRET',
    'logging: { options: { token: $THE_SECRET } }',
  ])('%s is not written down', async (line) => {
    const { text, rows } = await imported(
      `services:\n  a:\n    image: a:1\n    ${line}`,
      { 'a.env': `NEXT_PASSWORD="${secret}"\nCOPY=$THE_SECRET` },
      { THE_SECRET: secret },
    )
    expect(text).not.toContain(secret)
    expect(JSON.stringify(rows)).not.toContain(secret)
    expect(rows.some(({ fate, key }) => fate === 'refused' || key === 'logging')).toBe(true)
  })

  it.each([
    'ALLOW_EMPTY_PASSWORD: "yes"',
    'DB_PASSWORD_FILE: /run/x',
    'DB_PASSWORD: ""',
    'TOKEN_TTL: 60',
    'MONKEY: x',
  ])('%s is none', async (variable) => {
    const { services } = await imported(`services: { a: { image: a:1, environment: { ${variable} } } }`)
    expect(Object.keys(services['a']?.['env'] ?? {})).toEqual([variable.split(':')[0]])
  })
})

describe('the whole', () => {
  it('is named by `name`, COMPOSE_PROJECT_NAME, or the folder', async () => {
    const compose = 'services: { a: { image: a:1 } }'
    expect((await imported(compose)).system).toBe('shop')
    expect((await imported(compose, {}, { COMPOSE_PROJECT_NAME: 'My_Project' })).system).toBe('my-project')
    expect((await imported(`name: "\${N:-x}y"\n${compose}`)).system).toBe('xy')
  })

  it('says that an override file is not read', async () => {
    const { told } = await imported('services: { a: { image: a:1 } }', { 'compose.override.yaml': '{}' })
    expect(told(null)).toEqual([expect.stringMatching(/^dropped compose.override.yaml: only the file/)])
  })

  it('is the same bytes for the same files', async () => {
    const compose = 'services: { b: { image: a:1, ports: ["80:80"] }, a: { image: b:1, depends_on: [b] } }'
    expect((await imported(compose)).text).toBe((await imported(compose)).text)
  })

  it('runs on the Docker Engine where that is wanted', async () => {
    const { importCompose } = await import('./import-compose.ts')
    const { filesOf, root } = await import('./imported.fixture.ts')
    const files = filesOf({ 'compose.yaml': 'services: { a: { image: a:1, ports: ["9000:80"] } }' })
    const source = { files, environment: () => undefined, folder: root }
    for (const target of ['docker', 'local'] as const) {
      const { text } = await importCompose(`${root}/compose.yaml`, source, { root, schema: 's', target })
      const { environments } = parseManifest(text, 'basalt.yaml')
      expect(environments).toMatchObject({ staging: { target, ingressPort: 9000 } })
    }
  })

  it('cannot be made of a file that is not there', async () => {
    const { importCompose } = await import('./import-compose.ts')
    const { filesOf, root } = await import('./imported.fixture.ts')
    const source = { files: filesOf({}), environment: () => undefined, folder: root }
    await expect(importCompose(`${root}/x.yaml`, source, { root, schema: 's' })).rejects.toMatchObject({
      code: 'compose.missing',
      message: 'x.yaml does not exist',
    })
  })
})

/** The keys of the Compose Specification's JSON Schema (schema/compose-spec.json). */
const specification = {
  top: 'version name include services models networks volumes secrets configs',
  service:
    'develop deploy annotations attach build blkio_config cap_add cap_drop cgroup cgroup_parent command configs container_name cpu_count cpu_percent cpu_shares cpu_quota cpu_period cpu_rt_period cpu_rt_runtime cpus cpuset credential_spec depends_on device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file label_file environment expose extends provider external_links extra_hosts gpus group_add healthcheck hostname image init ipc isolation labels links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit network_mode models networks oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_stop privileged profiles pull_policy pull_refresh_after read_only restart runtime scale security_opt shm_size secrets sysctls stdin_open stop_grace_period stop_signal storage_opt tmpfs tty ulimits use_api_socket user uts userns_mode volumes volumes_from working_dir',
  build:
    'context dockerfile dockerfile_inline entitlements args ssh labels cache_from cache_to no_cache additional_contexts network pull target shm_size extra_hosts isolation privileged secrets tags ulimits platforms',
  deploy:
    'mode endpoint_mode replicas labels rollback_config update_config resources restart_policy placement',
  healthcheck: 'disable interval retries test timeout start_period start_interval',
}

describe('the rules', () => {
  it.each([
    ['top', topLevelRules],
    ['service', serviceRules],
    ['build', serviceRules['build']?.keys],
    ['deploy', serviceRules['deploy']?.keys],
    ['healthcheck', serviceRules['healthcheck']?.keys],
  ] as const)('know every key of %s, and no other', (block, rules) => {
    expect(Object.keys(rules ?? {}).toSorted()).toEqual(specification[block].split(' ').toSorted())
  })
})
