import { describe, expect, it } from 'vitest'
import { imported, importedService, mistakesOf } from './imported.fixture.ts'

describe('the image of a service', () => {
  it.each([
    ['nginx:1.25', /carried image/],
    ['nginx', /changed image: no version/],
    ['nginx:latest', /changed image: no version/],
    ['localhost:5000/a/b:1', /carried image/],
    ['localhost:5000/a/b', /changed image: no version/],
    [`a/b@sha256:${'a'.repeat(64)}`, /carried image/],
  ])('%s is taken', async (image, row) => {
    const { services, told } = await imported(`services: { a: { image: "${image}" } }`)
    expect(services['a']?.['image']).toBe(image)
    expect(told('a').join('\n')).toMatch(row)
  })

  it.each([
    ['build: ./web', './web'],
    ['build: .', '.'],
    ['build: { context: web/../api }', './api'],
    ['build: { context: web, dockerfile: D, target: t }', { context: './web', dockerfile: 'D', target: 't' }],
    ['build: { args: { A: 1.10, B: } }', { context: '.', args: { A: '1.10', B: 'b' } }],
    ['build: { args: [A=x=y] }', { context: '.', args: { A: 'x=y' } }],
    [
      'build: { dockerfile: D, cache_from: [x], no_cache: true, tags: [t] }',
      { context: '.', dockerfile: 'D' },
    ],
  ])('%s', async (lines, wanted) => {
    const { service } = await importedService(lines, {}, { B: 'b' })
    expect(service['build']).toEqual(wanted)
    expect(service['image']).toBeUndefined()
  })

  it.each([
    ['build: ../other', /outside the folder/],
    ['build: https://github.com/a/b.git', /not a folder/],
    ['build: git@github.com:a/b', /not a folder/],
    ['build: { dockerfile: ../D }', /Dockerfile lies outside its build context/],
    ['build: { dockerfile_inline: FROM scratch }', /inline/],
  ])('%s is refused, and the image taken instead', async (lines, reason) => {
    const { service, told } = await importedService(lines)
    expect(service['image']).toBe('app:1')
    expect(told.join('\n')).toMatch(reason)
  })

  it.each([
    ['{}', /neither `build` nor `image`/],
    ['{ image: "Not An Image" }', /no name of an image/],
    ['{ build: ../x }', /outside/],
    ['{ image: i, provider: { type: x } }', /another program/],
    ['{ image: i, deploy: { mode: replicated-job } }', /is a job/],
    ['{ image: i, scale: 0 }', /no instances/],
    ['{ image: i, profiles: [dev] }', /profile `dev`/],
  ])('a service that is %s is left out', async (service, reason) => {
    const { services, text, told } = await imported(
      `services: { a: { image: app:1, depends_on: [b] }, b: ${service} }`,
    )
    expect(Object.keys(services)).toEqual(['a'])
    expect(services['a']?.['needs']).toBeUndefined()
    expect(told('b').join()).toMatch(reason)
    expect(text).toMatch(/# b is left out/)
  })

  it('names the files of build secrets, and reads none', async () => {
    const { services, told } = await imported(
      `services: { a: { build: { context: ., secrets: [npm, { source: s, target: id, mode: 0400 }, env, out] } } }
secrets: { npm: { file: ./.npmrc }, s: { file: sub/s }, env: { environment: X }, out: { file: ../x } }`,
    )
    expect(services['a']?.['build']).toEqual({ context: '.', secrets: { npm: '.npmrc', id: 'sub/s' } })
    expect(told('a').filter((row) => row.startsWith('refused build.secrets'))).toHaveLength(2)
  })

  it('is an error when nothing is left', async () => {
    await expect(imported('services: { a: {} }')).rejects.toThrow(
      /no service .* carried over\na: it has neither/,
    )
    await expect(imported('name: x')).rejects.toThrow(/no service/)
  })

  it('belongs to an active profile', async () => {
    const compose = 'services: { a: { image: a:1, profiles: [x, y] }, b: { image: b:1, profiles: [z] } }'
    const { services } = await imported(compose, {}, { COMPOSE_PROFILES: 'q, y' })
    expect(Object.keys(services)).toEqual(['a'])
    const dotenv = await imported(compose, { '.env': 'COMPOSE_PROFILES=*' })
    expect(Object.keys(dotenv.services)).toEqual(['a', 'b'])
  })
})

describe('the command of a service', () => {
  it.each([
    [
      'command: run --fast "two words"',
      ['run', '--fast', 'two words'],
      /replaces the image’s ENTRYPOINT too/,
    ],
    ['command: [run, "$$HOME", 1]', ['run', '$HOME', '1'], /replaces/],
    ['entrypoint: /start.sh -v', ['/start.sh', '-v'], /own arguments \(CMD\) are replaced/],
    ['entrypoint: [/s]\ncommand: a b', ['/s', 'a', 'b'], /behind the entrypoint/],
    ['entrypoint: []\ncommand: a b', ['a', 'b'], /carried command/],
    ['command: []', undefined, /dropped command/],
    ['command:', undefined, /^/],
  ])('%s', async (lines, wanted, row) => {
    const { service, told } = await importedService(lines)
    expect(service['command']).toEqual(wanted)
    expect(told.join('\n')).toMatch(row)
  })

  it('has a known entrypoint in front', async () => {
    const { services } = await imported('services: { a: { image: "postgres:16", command: -c x=1 } }')
    expect(services['a']?.['command']).toEqual(['docker-entrypoint.sh', '-c', 'x=1'])
  })

  it('has the Dockerfile’s entrypoint in front', async () => {
    const compose = 'services: { a: { build: { context: ., target: t }, command: serve } }'
    const dockerfile = 'FROM x AS t\nENTRYPOINT ["/tini", \\\n  "--"]\nFROM y\nENTRYPOINT ["/no"]\n'
    const { services } = await imported(compose, { Dockerfile: dockerfile })
    expect(services['a']?.['command']).toEqual(['/tini', '--', 'serve'])
  })

  it('has all its quotes closed', async () => {
    expect(await mistakesOf(`services: { a: { image: a, command: 'x "y' } }`)).toEqual([
      expect.stringMatching(/^compose.yaml:1:\d+: `command` has a quote that is not closed/),
    ])
  })
})

describe('health', () => {
  it.each([
    ['test: [CMD, pg_isready, -U, me]', { command: ['pg_isready', '-U', 'me'], start: '1m30s' }],
    [
      'test: [CMD-SHELL, "pg_isready -U me || exit 1"]',
      { command: ['pg_isready', '-U', 'me'], start: '1m30s' },
    ],
    [
      'test: redis-cli ping | grep PONG',
      { command: ['sh', '-c', 'redis-cli ping | grep PONG'], start: '1m30s' },
    ],
    ['test: check $$X', { command: ['sh', '-c', 'check $X'], start: '1m30s' }],
    ['test: curl -f http://localhost:8080/up || exit 1', { http: '/up', port: 8080, start: '1m30s' }],
    ['test: [CMD, curl, -fsS, "http://127.0.0.1:81/a?b=c"]', { http: '/a?b=c', port: 81, start: '1m30s' }],
    ['test: wget --no-verbose --tries=1 --spider localhost', { http: '/', port: 80, start: '1m30s' }],
    [
      `test: 'curl -f -H "X: y" http://localhost/'`,
      { command: ['curl', '-f', '-H', 'X: y', 'http://localhost/'], start: '1m30s' },
    ],
    ['test: curl -f https://localhost/', { command: ['curl', '-f', 'https://localhost/'], start: '1m30s' }],
    ['test: [NONE]', 'running'],
    ['disable: true', 'running'],
    [
      'disable: false\ntest: [CMD, x]\ninterval: 2s\nretries: 2',
      { command: ['x'], interval: '2s', retries: 2 },
    ],
    [
      'test: x\ninterval: 1m30s\ntimeout: 1.5s\nretries: 4\nstart_period: 500ms\nstart_interval: 1s',
      { command: ['x'], interval: '1m30s', timeout: '1s500ms', start: '6m500ms', retries: 4 },
    ],
    ['test: x\nretries: 500\ninterval: 1s', { command: ['x'], interval: '1s', start: '1m40s', retries: 100 }],
    ['interval: 10s', 'running'],
  ])('%s', async (lines, wanted) => {
    const { service } = await importedService(`healthcheck:\n${lines.replaceAll(/^/gm, '  ')}`)
    expect(service['health']).toEqual(wanted)
  })

  it('is a connection where there is no check but a port', async () => {
    expect((await importedService('ports: ["5432"]')).service['health']).toEqual({ tcp: 5432 })
  })

  it('does not ask a program that was mounted', async () => {
    const { service, told } = await importedService(
      'volumes: [./checks:/checks]\nexpose: [80]\nhealthcheck: { test: [CMD, /checks/up.sh] }',
    )
    expect(service['health']).toMatchObject({ tcp: 80 })
    expect(told.join('\n')).toMatch(
      /refused healthcheck.test: its program was in what was mounted at \/checks/,
    )
  })

  it.each([
    ['test: [RUN, x]', /`NONE`, `CMD` or `CMD-SHELL`/],
    ['interval: 5', /no duration/],
    ['retries: many', /no whole number/],
    ['interval: 1000000h', /no duration/],
  ])('%s is a mistake', async (line, fact) => {
    const [mistake, ...more] = await mistakesOf(
      `services:\n  a:\n    image: a\n    healthcheck:\n      ${line}`,
    )
    expect(mistake).toMatch(/^compose.yaml:5:\d+: /)
    expect(mistake).toMatch(fact)
    expect(more).toEqual([])
  })
})

describe('how a service runs', () => {
  it.each([
    ['user: 1000', { user: '1000' }],
    ['user: 1000:1000', { user: '1000:1000' }],
    ['user: www-data:www-data', { user: 'www-data' }],
    ['cap_add: [NET_ADMIN, CAP_SYS_TIME, NET_ADMIN]', { capabilities: ['NET_ADMIN', 'SYS_TIME'] }],
    ['stop_signal: INT\nstop_grace_period: 1m30s', { stop: { signal: 'SIGINT', grace: '1m30s' } }],
    ['labels: [a=b, c]', { labels: { a: 'b', c: '' } }],
    ['labels: { a: 1.10 }\ndeploy: { labels: { d: e } }', { labels: { a: '1.10', d: 'e' } }],
    ['deploy: { replicas: 3 }', { replicas: 3 }],
    ['scale: "2"', { replicas: 2 }],
    ['mem_limit: 512m\ncpus: 0.5\npids_limit: 100', { limits: { memory: '512M', cpus: 0.5, pids: 100 } }],
    ['mem_limit: 1.5gb', { limits: { memory: '1536M' } }],
    ['mem_limit: 104857600b', { limits: { memory: '100M' } }],
    ['cpu_quota: 50000', { limits: { cpus: 0.5 } }],
    ['cpu_quota: 50000\ncpu_period: 25000', { limits: { cpus: 2 } }],
    ['mem_limit: 0\npids_limit: -1\ncpus: 0', {}],
    [
      'deploy: { resources: { limits: { cpus: "0.25", memory: 64M, pids: 5 } } }',
      { limits: { cpus: 0.25, memory: '64M', pids: 5 } },
    ],
    ['tmpfs: /run', { writable: ['/run', '/tmp'] }],
    ['tmpfs: ["/run:size=1m,mode=1777", /tmp]', { writable: [{ path: '/run', size: '1M' }, '/tmp'] }],
    ['shm_size: 64mb', { writable: [{ path: '/dev/shm', size: '64M' }, '/tmp'] }],
    ['read_only: true', { writable: undefined }],
    ['read_only: false', { writable: ['/tmp'] }],
  ])('%s', async (lines, wanted) => {
    const { service } = await importedService(lines)
    expect({ writable: service['writable'], ...service }).toMatchObject(wanted)
  })

  it.each([
    ['cap_add: [NET_ADMINN]', /not a Linux capability/],
    ['stop_grace_period: soon', /no duration/],
    ['deploy: { replicas: -1 }', /no number of instances/],
    ['scale: 1.5', /no number of instances/],
    ['mem_limit: much', /no size/],
    ['cpus: half', /no number/],
    ['pids_limit: x', /no whole number/],
    ['tmpfs: run', /not an absolute path/],
    ['shm_size: x', /no size/],
  ])('%s is a mistake', async (line, fact) => {
    const [mistake, ...more] = await mistakesOf(`services:\n  a:\n    image: a\n    ${line}`)
    expect(mistake).toMatch(/^compose.yaml:4:\d+: /)
    expect(mistake).toMatch(fact)
    expect(more).toEqual([])
  })

  it.each([
    ['privileged: true', /refused privileged/],
    ['network_mode: host', /refused network_mode/],
    ['pid: host', /refused pid/],
    ['ipc: host', /refused ipc/],
    ['devices: [/dev/sda]', /refused devices/],
    ['cap_add: [ALL]', /refused cap_add/],
    ['extra_hosts: ["a:1.2.3.4"]', /refused extra_hosts/],
    ['sysctls: { net.x: 1 }', /refused sysctls/],
    ['ulimits: { nofile: 5 }', /refused ulimits/],
    ['init: true', /refused init/],
    ['use_api_socket: true', /refused use_api_socket/],
    ['user: "no one"', /refused user/],
    ['stop_signal: RTMIN+3', /refused stop_signal/],
    ['mem_limit: 1m', /refused mem_limit/],
    ['security_opt: [seccomp=unconfined]', /refused security_opt/],
    ['working_dir: /srv', /refused working_dir/],
    ['secrets: [s]', /refused secrets/],
    ['configs: [{ source: c, target: /c }]', /refused configs/],
    ['deploy: { placement: { constraints: [a] } }', /refused deploy.placement/],
    [
      'deploy: { resources: { reservations: { devices: [{ capabilities: [gpu] }] } } }',
      /refused deploy.resources.reservations.devices/,
    ],
    ['deploy: { mode: global }', /refused deploy.mode: there is one instance/],
    ['restart: always', /dropped restart/],
    ['container_name: x', /dropped container_name/],
    ['hostname: x', /dropped hostname/],
    ['cap_drop: [ALL]', /dropped cap_drop/],
    ['platform: linux/amd64', /dropped platform/],
    ['pull_policy: always', /dropped pull_policy/],
    ['logging: { driver: none }', /dropped logging/],
  ])('%s is told', async (line, row) => {
    expect((await importedService(line)).told.join('\n')).toMatch(row)
  })

  it.each([
    'privileged: false',
    'init: false',
    'ipc: private',
    'network_mode: bridge',
    'security_opt: ["no-new-privileges:true"]',
  ])('%s is so anyway', async (line) => {
    const { told } = await importedService(line)
    expect(told).toContain(`carried ${line.split(':')[0]}: it is so here too, unasked`)
  })

  it.each(['dns: []', 'devices:', 'x-mine: { a: 1 }'])('%s says nothing', async (line) => {
    expect((await importedService(line)).told).toEqual((await importedService('')).told)
  })
})
