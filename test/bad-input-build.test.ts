import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type FakeMirror, startFakeMirror } from '../src/build/native/debian/fixtures/fake-mirror.ts'
import type { BuildResult, ReleaseList, StatusResult } from '../src/engine/engine.ts'
import { type BasaltHome, freePort, openBasaltHome } from './basalt-home.fixture.ts'
import { tinyService, writePage, writeTinyFiles, writeTinySystem } from './tiny-system.fixture.ts'

/** Every refusal before anything runs: the real command line tool, its server, and a signed archive on loopback. */
describe('bad input to a build', () => {
  let basalt: BasaltHome
  let mirror: FakeMirror
  let closedPort: number

  beforeAll(async () => {
    basalt = openBasaltHome()
    mirror = await startFakeMirror()
    closedPort = await freePort()
    writeTinyFiles(basalt.project)
    await mirror.publish('bookworm', {
      packages: [
        { name: 'base-files', files: { 'etc/debian_version': '12\n' } },
        { name: 'nginx', files: { 'usr/sbin/nginx': '#!/bin/true\n' } },
        { name: 'broken', control: { Depends: 'nothing-has-this (>= 2)' } },
        { name: 'damaged', files: { 'usr/bin/damaged': 'x' } },
      ],
    })
    mirror.override.set(/^pool\/.*damaged/, Buffer.from('not what was signed'))
  })

  afterAll(async () => {
    await basalt.close()
    await mirror.close()
  })

  beforeEach(() => rmSync(join(basalt.project, 'basalt.lock'), { force: true }))

  /** Nothing was frozen, nothing is deployed, and no lock was written. */
  afterEach(expectNothingMade)

  async function expectNothingMade(): Promise<void> {
    expect((await basalt.json<ReleaseList>(['releases'])).releases).toEqual([])
    expect((await basalt.json<StatusResult>(['status'])).environments).toEqual([])
    expect(existsSync(join(basalt.project, 'basalt.lock'))).toBe(false)
  }

  const manifest = () => join(basalt.project, 'basalt.yaml')
  const write = (text: string): void => writeFileSync(manifest(), text)
  const at = (line: number, column: number): string => `${manifest()}:${line}:${column}`

  describe('basalt.yaml', () => {
    async function refuses(expected: readonly string[]): Promise<void> {
      const refusals = await Promise.all([
        basalt.fails(['validate']),
        basalt.fails(['build']),
        basalt.fails(['deploy', '--yes']),
      ])
      for (const refusal of refusals) {
        expect(refusal).toMatchObject({ code: 'manifest.invalid', exitCode: 1 })
        expect(refusal.message.split('\n').slice(1)).toEqual(expected)
        expect(refusal.remedy).toContain('basalt validate')
      }
    }

    it('names unknown keys, wrong types, missing needs and ports listed twice, all at once', async () => {
      write(`system: tiny
services:
  web:
    build: { base: scratch, copy: [bin:/bin], entrypoint: [/bin/busybox] }
    ports: [8080, 8080]
    replica: 2
    replicas: two
    needs: [ap]
  api:
    build: { base: scratch, copy: [bin:/bin], entrypoint: [/bin/busybox] }
`)
      await refuses([
        `${at(5, 19)}: port 8080 is listed twice. Keep one of them.`,
        `${at(6, 5)}: \`replica\` is not known here; did you mean \`replicas\`?`,
        `${at(7, 15)}: \`services.web.replicas\` is the text \`two\`. It must be a whole number from 1 to 1000.`,
        `${at(8, 13)}: there is no service \`ap\`; did you mean \`api\`?`,
      ])
    })

    it('refuses a key that is written twice', async () => {
      write('system: tiny\nservices:\n  web: { image: a, image: b }\n')
      await refuses([
        `${at(3, 20)}: \`image\` is written twice in one block. Keep one of them; the first is on line 3.`,
      ])
    })

    it('refuses two services that answer at one port', async () => {
      const service =
        '{ build: { base: scratch, copy: [bin:/bin], entrypoint: [/bin/busybox] }, port: 1/tcp, expose: { tcp: 9000 } }'
      write(`system: tiny\nservices:\n  one: ${service}\n  two: ${service}\n`)
      const refusal = await basalt.fails(['deploy'])
      expect(refusal.message).toMatch(/basalt\.yaml:4:\d+: .*9000.*`one`/)
    })

    it('refuses aliases that multiply, without reading them out', async () => {
      const levels = Array.from({ length: 9 }, (_, level) => {
        const items = level === 0 ? 'x' : `*a${level - 1}`
        return `x-${level}: &a${level} [${Array(10).fill(items).join(', ')}]\n`
      })
      write(`system: tiny\n${levels.join('')}services: *a8\n`)
      const refusal = await basalt.fails(['build'])
      expect(refusal).toMatchObject({ code: 'manifest.invalid' })
      expect(refusal.message).toMatch(
        /basalt\.yaml:\d+:\d+: aliases multiply the file to more than \d+ values/,
      )
    })

    it('says how to get one when there is none', async () => {
      rmSync(manifest(), { force: true })
      const refusal = await basalt.fails(['deploy'])
      expect(refusal).toMatchObject({ code: 'manifest.missing', exitCode: 1 })
      expect(refusal.message).toContain('there is no basalt.yaml here or in any folder above')
      expect(refusal.remedy).toContain('basalt init')
    })
  })

  describe('recipes', () => {
    const build = (recipe: Record<string, unknown>): void =>
      writeTinySystem(basalt.project, { services: { web: tinyService({ build: recipe }) } })
    const scratch = { base: 'scratch', copy: ['bin:/bin'], entrypoint: ['/bin/busybox'] }

    it('refuses a link out of the copied folder, at its place', async () => {
      mkdirSync(join(basalt.project, 'linked'))
      symlinkSync('/etc/shadow', join(basalt.project, 'linked/secret'))
      build({ ...scratch, copy: ['bin:/bin', 'linked:/data'] })
      const refusal = await basalt.fails(['build'])
      expect(refusal).toMatchObject({ code: 'build.path-escapes', exitCode: 1 })
      expect(refusal.message).toMatch(
        /basalt\.yaml:\d+:\d+: linked\/secret is a link to the absolute path \/etc\/shadow/,
      )
      expect(refusal.remedy).toContain('ignore')
    })

    it.each([
      ['lies outside', '../other:/data', 'manifest.invalid', /inside the folder of basalt\.yaml/],
      ['is missing', 'nowhere:/data', 'build.path-missing', /:\d+:\d+: nowhere does not exist in /],
    ])('refuses a copied path that %s', async (_, path, code, message) => {
      build({ ...scratch, copy: ['bin:/bin', path] })
      const refusal = await basalt.fails(['build'])
      expect(refusal).toMatchObject({ code, exitCode: 1 })
      expect(refusal.message).toMatch(message)
    })

    it('says of a copied link that it leads nowhere', async () => {
      symlinkSync('gone', join(basalt.project, 'dangling'))
      build({ ...scratch, copy: ['bin:/bin', 'dangling:/data'] })
      const refusal = await basalt.fails(['build'])
      expect(refusal.code).toBe('build.path-missing')
      expect(refusal.message).toMatch(/: dangling is a link to gone, which does not exist$/)
    })

    it('names the mistakes of all services at once, each at its own place', async () => {
      write(`system: tiny
services:
  web:
    build:
      base: scratch
      copy:
        - bin:/bin
        - from: nowhere
          to: /data
      entrypoint: [/bin/busybox]
  api:
    build:
      base: scratch
      copy: [bin:/bin]
      entrypoint: [/bin/bosybox]
  old:
    image: 127.0.0.1:1/nginx@sha256:${'0'.repeat(64)}
`)
      const refusal = await basalt.fails(['build'])
      expect(refusal).toMatchObject({ code: 'build.failed', exitCode: 1 })
      expect(refusal.message.split('\n').slice(1)).toEqual([
        expect.stringContaining(`${at(8, 11)}: nowhere does not exist in `),
        expect.stringContaining(`${at(15, 7)}: the entrypoint of api, /bin/bosybox, is not in the image`),
        expect.stringMatching(/:17:12: .*127\.0\.0\.1:1/),
      ])
    })

    it('refuses an entrypoint that is not in the image', async () => {
      build({ ...scratch, entrypoint: ['/bin/bosybox'] })
      const refusal = await basalt.fails(['build'])
      expect(refusal).toMatchObject({ code: 'build.entrypoint-missing', exitCode: 1 })
      expect(refusal.message).toMatch(/:\d+:\d+: the entrypoint of web, \/bin\/bosybox, is not in the image/)
      expect(refusal.remedy).toContain('Correct `entrypoint`')
    })
  })

  describe('packages', () => {
    beforeEach(restartWithMirror)

    /** A server reads its mirror once. */
    async function restartWithMirror(): Promise<void> {
      await useMirror(mirror.url)
    }

    async function useMirror(url: string): Promise<void> {
      await basalt.json(['server', 'stop'])
      await basalt.json(['server', 'start'], {
        environment: {
          BASALT_DEBIAN_MIRROR: url,
          BASALT_DEBIAN_SECURITY_MIRROR: '',
          BASALT_DEBIAN_KEYRING: mirror.keyring,
        },
      })
    }

    const install = (...packages: readonly string[]): void =>
      writeTinySystem(basalt.project, {
        services: {
          web: tinyService({
            build: { base: 'debian:bookworm', packages, copy: ['bin:/bin'], entrypoint: ['/bin/busybox'] },
          }),
        },
      })

    it('names a package that does not exist, and near ones', async () => {
      install('ngnix')
      const refusal = await basalt.fails(['build'])
      expect(refusal).toMatchObject({ code: 'build.package-unknown', exitCode: 1 })
      expect(refusal.message).toMatch(/basalt\.yaml:\d+:\d+: the package ngnix is not in bookworm/)
      expect(refusal.remedy).toContain('nginx')
    })

    it('names all packages that do not exist, of all services, each at its own place', async () => {
      write(`system: tiny
services:
  web:
    build:
      base: debian:bookworm
      packages: [nginx, nodejss, redis-servr]
      entrypoint: [nginx]
  api:
    build:
      base: debian:bookworm
      packages:
        - nginx
        - pyton3
      entrypoint: [nginx]
`)
      const refusal = await basalt.fails(['build'])
      expect(refusal).toMatchObject({ code: 'build.package-unknown', exitCode: 1 })
      expect(refusal.message.split('\n').slice(1)).toEqual([
        expect.stringContaining(`${at(6, 25)}: the package nodejss is not in bookworm.`),
        expect.stringContaining(`${at(6, 34)}: the package redis-servr is not in bookworm.`),
        expect.stringContaining(`${at(13, 11)}: the package pyton3 is not in bookworm.`),
      ])
    })

    it('names a suite that no mirror has, at its place', async () => {
      write(`system: tiny
services:
  web:
    build:
      base: debian:wheezy
      packages: [nginx]
      entrypoint: [nginx]
`)
      const refusal = await basalt.fails(['build'])
      expect(refusal.message).toBe(`${at(5, 13)}: no mirror has the Debian suite wheezy`)
    })

    it('names what a package needs in vain', async () => {
      install('broken')
      const refusal = await basalt.fails(['build'])
      expect(refusal).toMatchObject({ code: 'build.package-unresolvable', exitCode: 1 })
      expect(refusal.message).toContain('nothing-has-this (>= 2)')
      expect(refusal.remedy).not.toBeNull()
    })

    it('refuses bytes that are not those which were signed for', async () => {
      install('damaged')
      const refusal = await basalt.fails(['build'])
      expect(refusal).toMatchObject({ code: 'build.hash-mismatch', exitCode: 3 })
      expect(refusal.message).toMatch(
        /the package damaged 1\.0 from http.* has the SHA-256 [0-9a-f]{64}, not [0-9a-f]{64}/,
      )
      expect(refusal.remedy).toContain('mirror')
    })

    it('refuses an index that a stranger signed', async () => {
      await mirror.publish('trixie', { packages: [{ name: 'base-files' }] }, { key: 'other' })
      writeTinySystem(basalt.project, {
        services: {
          web: tinyService({
            build: {
              base: 'debian:trixie',
              packages: ['base-files'],
              copy: ['bin:/bin'],
              entrypoint: ['/bin/busybox'],
            },
          }),
        },
      })
      const refusal = await basalt.fails(['build'])
      expect(refusal).toMatchObject({ code: 'build.signature-invalid', exitCode: 3 })
      expect(refusal.message).toContain('trixie')
      expect(refusal.remedy).not.toBeNull()
    })

    it('says that the mirror cannot be reached', async () => {
      await useMirror(`http://127.0.0.1:${closedPort}`)
      // Another package, so that nothing of it is here yet.
      install('base-files')
      const refusal = await basalt.fails(['build'])
      expect(refusal).toMatchObject({ code: 'network.unreachable', exitCode: 3 })
      expect(refusal.message).toContain(`http://127.0.0.1:${closedPort}`)
      expect(refusal.remedy).toContain('BASALT_DEBIAN_MIRROR')
    })
  })
})

it('builds without the network what is locked and was built before', async () => {
  const basalt = openBasaltHome()
  const mirror = await startFakeMirror()
  const environment = {
    BASALT_DEBIAN_MIRROR: mirror.url,
    BASALT_DEBIAN_SECURITY_MIRROR: '',
    BASALT_DEBIAN_KEYRING: mirror.keyring,
  }
  try {
    await mirror.publish('bookworm', {
      packages: [{ name: 'base-files' }, { name: 'nginx', files: { 'usr/share/x': 'x\n' } }],
    })
    writeTinyFiles(basalt.project)
    writeTinySystem(basalt.project, {
      services: {
        web: tinyService({
          build: {
            base: 'debian:bookworm',
            packages: ['nginx'],
            copy: ['bin:/bin'],
            entrypoint: ['/bin/busybox'],
          },
        }),
      },
    })
    const online = await basalt.json<BuildResult>(['build'], { environment })
    await mirror.close()
    const offline = await basalt.json<BuildResult>(['build'])
    expect(offline.release).toEqual(online.release)

    // Another image of the same packages, by a server that has seen nothing of this.
    writePage(basalt.project, 'more', 'more\n')
    writeTinySystem(basalt.project, {
      services: {
        web: tinyService({
          build: {
            base: 'debian:bookworm',
            packages: ['nginx'],
            copy: ['bin:/bin', 'www:/www'],
            entrypoint: ['/bin/busybox'],
          },
        }),
      },
    })
    await basalt.json(['server', 'stop'])
    const changed = await basalt.json<BuildResult>(['build'], { environment })
    expect(changed.created).toBe(true)
  } finally {
    await basalt.close()
  }
})
