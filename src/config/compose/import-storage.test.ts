import { describe, expect, it } from 'vitest'
import { imported, mistakesOf } from './imported.fixture.ts'

const withVolumes = (mounts: string, more = '') =>
  imported(
    `services:\n  a:\n    image: a:1\n    read_only: true\n    volumes: ${mounts}\n${more}volumes: { data: , my_data: }\n`,
  )

describe('volumes', () => {
  it.each([
    ['["data:/d"]', { volumes: { data: '/d' }, stateful: true }],
    ['["my_data:/d/"]', { volumes: { 'my-data': '/d' }, stateful: true }],
    ['["data:/d:rw,z"]', { volumes: { data: '/d' }, stateful: true }],
    ['[{ type: volume, source: data, target: /d }]', { volumes: { data: '/d' }, stateful: true }],
    ['[/scratch]', { writable: ['/scratch'], stateful: undefined }],
    ['[{ type: volume, target: /scratch }]', { writable: ['/scratch'] }],
    ['[{ type: tmpfs, target: /t, tmpfs: { size: 10m } }]', { writable: [{ path: '/t', size: '10M' }] }],
    ['[{ type: tmpfs, target: /t }]', { writable: ['/t'] }],
    [
      '["./pg:/var/lib/postgresql/data"]',
      { volumes: { 'a-data': '/var/lib/postgresql/data' }, stateful: true },
    ],
    ['["./x:/data", "./y:/srv/data"]', { volumes: { 'a-data': '/data', 'a-data-2': '/srv/data' } }],
    ['["/opt/x:/data"]', { volumes: { 'a-data': '/data' } }],
  ])('%s', async (mounts, wanted) => {
    const { services } = await withVolumes(mounts)
    const service = services['a'] ?? {}
    expect({ stateful: service['stateful'], ...service }).toMatchObject(wanted)
  })

  it.each([
    ['[.:/app]', /mounted source folder is for development/],
    ['["./src:/app/src"]', /mounted source folder is for development/],
    ['[{ type: bind, source: ./src, target: /app }]', /mounted source folder/],
    ['["~/x:/app"]', /mounted source folder/],
    ['["./nginx.conf:/etc/nginx/nginx.conf:ro"]', /files come with the image/],
    ['["./conf.d:/etc/conf.d:ro"]', /files come with the image/],
    ['["/var/run/docker.sock:/var/run/docker.sock"]', /root of the machine/],
    ['["/:/host"]', /folders of the machine/],
    ['["/proc:/host/proc:ro"]', /folders of the machine/],
    ['[{ type: npipe, source: x, target: /x }]', /no mounts of type `npipe`/],
    ['[{ type: image, source: x, target: /x }]', /no mounts of type `image`/],
    ['["data:/d:ro"]', /only read, and nobody here writes it/],
    ['["data:/d", "data:/e"]', /mounted at another path already/],
    ['["data:/d", "my_data:/d/e"]', /lies in or around another mount/],
    ['["data:/proc/x"]', /belongs to the runtime/],
    ['["data:/"]', /belongs to the runtime/],
    ['[{ type: volume, source: data, target: /d, volume: { subpath: x } }]', /mounted as a whole/],
  ])('%s is refused', async (mounts, reason) => {
    const { told, text } = await withVolumes(mounts)
    const refused = told('a').filter((row) => row.startsWith('refused'))
    expect(refused).toHaveLength(1)
    expect(refused[0]).toMatch(reason)
    expect(text).toMatch(/# volumes \(refused\)/)
  })

  it('drops what only shielded a folder from a refused mount, and the clock of the machine', async () => {
    const { services, told } = await withVolumes(
      '[".:/app", /app/node_modules, "data:/app/cache", "/etc/localtime:/etc/localtime:ro"]',
    )
    expect(services['a']?.['writable']).toBeUndefined()
    expect(services['a']?.['volumes']).toBeUndefined()
    expect(told('a').filter((row) => row.startsWith('dropped'))).toHaveLength(3)
  })

  it('have one writer', async () => {
    const { services, told } = await withVolumes(
      '["data:/d:ro"]',
      '  b: { image: b:1, volumes: ["data:/x"] }\n  c: { image: c:1, volumes: ["data:/y"] }\n',
    )
    expect(services['b']?.['volumes']).toEqual({ data: '/x' })
    for (const name of ['a', 'c']) {
      expect(services[name]?.['volumes']).toBeUndefined()
      expect(told(name).join('\n')).toMatch(/refused volumes: data: it is written by `b`/)
    }
  })

  it('allow one instance', async () => {
    const { services, told } = await imported(
      'services: { a: { image: a:1, volumes: ["d:/d"], deploy: { replicas: 3 } } }\nvolumes: { d: }',
    )
    expect(services['a']).toMatchObject({ stateful: true })
    expect(services['a']?.['replicas']).toBeUndefined()
    expect(told('a').join('\n')).toMatch(/refused deploy.replicas: 3 instances cannot share a volume/)
  })

  it('with a driver are refused, external ones begin empty', async () => {
    const { told } = await imported(
      `services: { a: { image: a:1, volumes: ["n:/n", "e:/e"] } }
volumes: { n: { driver_opts: { type: nfs } }, e: { external: true } }`,
    )
    expect(told('a').join('\n')).toMatch(/refused volumes: n: a volume with a driver/)
    expect(told(null).join('\n')).toMatch(/changed volumes.e: external/)
  })

  it.each([
    ['[data:d]', /"d" is not an absolute path/],
    ['["data:/a/../b"]', /not an absolute path/],
    ['[{ type: volume, source: data }]', /no target/],
    ['["gone:/d"]', /the volume `gone` is not declared/],
  ])('%s is a mistake', async (mounts, fact) => {
    const mistakes = await mistakesOf(
      `services:\n  a:\n    image: a:1\n    volumes: ${mounts}\nvolumes: { data: }`,
    )
    expect(mistakes).toHaveLength(1)
    expect(mistakes[0]).toMatch(/^compose.yaml:4:15: /)
    expect(mistakes[0]).toMatch(fact)
  })
})
