import { describe, expect, it } from 'vitest'
import { imported, importedService, mistakesOf } from './imported.fixture.ts'

describe('ports', () => {
  it.each([
    ['"8080:80"', { port: 80, expose: true }, 8080],
    ['8080:80/tcp', { port: 80, expose: true }, 8080],
    ['"0.0.0.0:80:80"', { port: 80, expose: true }, 80],
    ['"192.168.0.1:80:80"', { port: 80, expose: true }, 80],
    ['"[::]:80:80"', { port: 80, expose: true }, 80],
    ['"3000"', { port: 3000, expose: undefined }, 8080],
    ['"127.0.0.1:80:80"', { port: 80, expose: undefined }, 8080],
    ['"127.0.0.1::80"', { port: 80, expose: undefined }, 8080],
    ['"[::1]:80:80"', { port: 80, expose: undefined }, 8080],
    ['"5432:5432"', { port: '5432/tcp', expose: { tcp: 5432, port: 5432 } }, 8080],
    ['"8080:5432"', { port: '5432/tcp', expose: { tcp: 8080, port: 5432 } }, 8081],
    ['"8000-8001:3000-3001"', { ports: [3000, 3001] }, 8000],
    ['"9000-9005:22"', { port: '22/tcp', expose: { tcp: 9000, port: 22 } }, 8080],
    ['"53:53/udp"', { port: undefined }, 8080],
    ['{ target: 9999, published: "81", app_protocol: http }', { port: 9999, expose: true }, 81],
    ['{ target: 80, published: 81, app_protocol: mysql }', { port: '80/tcp' }, 8080],
    ['{ target: 80, host_ip: 127.0.0.1, published: 81 }', { port: 80, expose: undefined }, 8080],
    ['{ target: 80-81, published: 90-91 }', { ports: [80, 81] }, 90],
  ])('%s', async (port, wanted, ingress) => {
    const { services, environments } = await imported(
      `services:\n  a:\n    image: a:1\n    ports:\n      - ${port}`,
    )
    const service = services['a'] ?? {}
    expect({ port: service['port'], expose: service['expose'], ...service }).toMatchObject(wanted)
    expect(environments['staging']?.['ingress']).toBe(ingress)
  })

  it.each([
    ['"0:80"', /not a port/],
    ['"80:0"', /not a port/],
    ['"70000"', /not a port/],
    ['"a:80"', /not a port/],
    ['"8000-8001:80-82"', /differ in length/],
    ['"1-1000:1-1000"', /more than 64/],
    ['"9-8:1"', /not a port/],
    ['"127.0.0.1:80"', /not a port/],
    ['{ published: 80 }', /no `target`/],
    ['{ target: 80, published: x }', /`published` is not a port/],
  ])('%s is a mistake', async (port, fact) => {
    const mistakes = await mistakesOf(`services:\n  a:\n    image: a:1\n    ports:\n      - ${port}`)
    expect(mistakes).toHaveLength(1)
    expect(mistakes[0]).toMatch(/^compose.yaml:5:9: /)
    expect(mistakes[0]).toMatch(fact)
  })

  it('gives each entry port to one service', async () => {
    const { services, told } = await imported(
      'services: { a: { image: a:1, ports: ["80:80"] }, b: { image: b:1, ports: ["80:8080", "81:8080"] } }',
    )
    expect(services['b']?.['expose']).toEqual({ listen: 81, port: 8080 })
    expect(told('b').join('\n')).toMatch(/refused ports: .* entry port 80 belongs to `a`/)
  })

  it('takes `expose` and what is known of the image', async () => {
    expect((await importedService('expose: ["9000/tcp", 80, "3000-3001"]')).service['ports']).toEqual([
      9000, 80, 3000, 3001,
    ])
    const { services } = await imported('services: { a: { image: "docker.io/library/redis:7" } }')
    expect(services['a']?.['port']).toBe('6379/tcp')
  })

  it('takes EXPOSE of the Dockerfile, unless another program runs', async () => {
    const files = { Dockerfile: 'FROM x\nEXPOSE 8000/tcp 53/udp\n' }
    const { services } = await imported(
      'services: { a: { build: . }, b: { build: ., command: work } }',
      files,
    )
    expect(services['a']?.['port']).toBe(8000)
    expect(services['b']?.['port']).toBeUndefined()
  })
})

describe('needs', () => {
  it.each([
    ['depends_on: [b]', ['b']],
    ['depends_on: { b: { condition: service_healthy, restart: true } }', ['b']],
    ['depends_on: { gone: { condition: service_started, required: false } }', undefined],
    ['links: [b]', ['b']],
    ['environment: { URL: "http://b:80/x" }', ['b']],
    ['environment: { X: "postgres://u:p@b/db" }', ['b']],
    ['environment: { B_HOST: b }', ['b']],
    ['environment: { X: "c:1,b:2" }', ['b']],
    ['command: --server b:80', ['b']],
    ['environment: { NAME: b }', undefined],
    ['environment: { X: "http://b.example.org/" }', undefined],
    ['environment: { X: "http://x/b:1" }', undefined],
    ['environment: { X: "grab:1" }', undefined],
  ])('%s', async (lines, wanted) => {
    const { services } = await imported(`services:\n  b: { image: b:1 }\n  a:\n    image: a:1\n    ${lines}`)
    expect(services['a']?.['needs']).toEqual(wanted)
  })

  it('are not closed to a circle by a mere name', async () => {
    const { services, told } = await imported(
      'services: { a: { image: a:1, depends_on: [b] }, b: { image: b:1, environment: { A_HOST: a } } }',
    )
    expect(services['b']?.['needs']).toBeUndefined()
    expect(told('b').join('\n')).toMatch(/`a` is not added/)
  })

  it('find the port that is asked', async () => {
    const { services } = await imported(
      'services: { a: { image: a:1, environment: { X: "http://b:9/x", Y: "amqp://c:5672" } }, b: { image: b:1 }, c: { image: c:1 } }',
    )
    expect(services['b']?.['port']).toBe(9)
    expect(services['c']?.['port']).toBe('5672/tcp')
  })

  it('say when no port is known', async () => {
    const { told } = await imported('services: { a: { image: a:1, depends_on: [b] }, b: { image: b:1 } }')
    expect(told('b').join('\n')).toMatch(/needed by `a`, but no port is known/)
  })

  it('follow services that were renamed, and say so', async () => {
    const { services, told } = await imported(
      'services: { My_App: { image: a:1, depends_on: [my.app] }, my.app: { image: b:1 }, localhost: { image: c:1 } }',
    )
    expect(Object.keys(services)).toEqual(['my-app', 'my-app-2', 'service'])
    expect(services['my-app']?.['needs']).toEqual(['my-app-2'])
    expect(told('My_App').join('\n')).toMatch(/changed name: its name is `my-app` now/)
  })

  it('leave jobs out', async () => {
    const { services, told } = await imported(
      'services: { a: { image: a:1, depends_on: { m: { condition: service_completed_successfully } } }, m: { image: m:1 } }',
    )
    expect(Object.keys(services)).toEqual(['a'])
    expect(told('a').join('\n')).toMatch(/changed depends_on: not `m`, which is left out: it is a job/)
  })

  it.each([
    ['depends_on: [bb]', /there is no service `bb`. did you mean `b`\?/],
    ['depends_on: [a]', /depends on itself/],
    ['depends_on: { b: { condition: service_helthy } }', /no condition. did you mean `service_healthy`/],
  ])('%s is a mistake', async (line, fact) => {
    const mistakes = await mistakesOf(`services:\n  b: { image: b:1 }\n  a:\n    image: a:1\n    ${line}`)
    expect(mistakes).toHaveLength(1)
    expect(mistakes[0]).toMatch(/^compose.yaml:5:\d+: /)
    expect(mistakes[0]).toMatch(fact)
  })

  it('watch as long as the longest `monitor`', async () => {
    const { environments } = await imported(
      'services: { a: { image: a:1, deploy: { update_config: { monitor: 20s } } }, b: { image: b:1, deploy: { update_config: { monitor: 1m } } } }',
    )
    expect(environments['staging']?.['watch']).toBe('1m')
  })
})
