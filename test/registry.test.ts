import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BuildResult } from '../src/engine/engine.ts'
import type { RegistryDocument, RegistryToken } from '../src/server/registry-routes.ts'
import { type BasaltHome, freePort, openBasaltHome } from './basalt-home.fixture.ts'
import { tinyService, writeTinyFiles, writeTinySystem } from './tiny-system.fixture.ts'

/* The registry of a real server, used by the programs that people use. */

let basalt: BasaltHome
let address: string
let push: string

beforeAll(async () => {
  basalt = openBasaltHome()
  address = `127.0.0.1:${await freePort()}`
  await basalt.json<RegistryDocument>(['registry', 'enable', address])
  const { secret } = await basalt.json<RegistryToken>(['registry', 'grant', 'ci', '--scope', 'push'])
  push = secret
})
afterAll(() => basalt.close())

const skopeo = (...args: string[]): string =>
  execFileSync('skopeo', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

const digestAt = (place: string, ...more: string[]): string =>
  (JSON.parse(skopeo('inspect', '--tls-verify=false', ...more, place)) as { Digest: string }).Digest

describe('basalt registry', () => {
  it('says where it is, also after the server was restarted', async () => {
    await basalt.json(['server', 'restart'])
    const document = await basalt.json<RegistryDocument>(['registry', 'status'])
    expect(document).toMatchObject({ enabled: true, url: `http://${address}`, problem: null })
    const { stdout } = await basalt.run(['server', 'status'])
    expect(stdout).toContain(`registry: http://${address}`)
    expect((await basalt.run(['registry', 'status'])).stdout).toContain('docker pull 127.0.0.1:')
  })

  it('refuses plain HTTP for others, with the flag that helps', async () => {
    const error = await basalt.fails(['registry', 'enable', '0.0.0.0:5000'])
    expect(error).toMatchObject({
      code: 'registry.settings-invalid',
      remedy: expect.stringContaining('--cert'),
    })
    expect(await basalt.fails(['registry', 'enable', '--cert', 'x.pem'])).toMatchObject({
      code: 'request.invalid',
    })
  })

  it('gives tokens once, lists them, and takes them back', async () => {
    const { stdout } = await basalt.run(['registry', 'grant', 'nodes', '-q'])
    expect(stdout).toMatch(/^basalt_[\w-]{43}\n$/)
    expect(await basalt.fails(['registry', 'grant', 'nodes'])).toMatchObject({
      code: 'registry.token-exists',
    })
    expect(await basalt.fails(['registry', 'grant', 'a:b'])).toMatchObject({ code: 'request.invalid' })
    const listed = await basalt.run(['registry', 'tokens'])
    expect(listed.stdout).toMatch(/^nodes +pull +.* root/m)
    expect(listed.stdout).not.toContain(stdout.trim())
    await basalt.json(['registry', 'revoke', 'nodes'])
    expect(await basalt.fails(['registry', 'revoke', 'nodes'])).toMatchObject({
      code: 'registry.token-unknown',
    })
  })
})

const withoutSkopeo = spawnSync('skopeo', ['--version']).error !== undefined

describe.skipIf(withoutSkopeo)('skopeo (skipped where it is missing)', () => {
  it('copies a release’s image by digest, to an archive and to a layout, and back under another name', async () => {
    writeTinyFiles(basalt.project)
    writeTinySystem(basalt.project, {
      services: { web: tinyService() },
      environments: { staging: { ingress: await freePort(), watch: '0s' } },
    })
    const { images } = await basalt.json<BuildResult>(['build'])
    const image = images[0]?.image ?? ''
    const repository = `docker://${address}/tiny/web`
    expect(digestAt(`${repository}:release-1`)).toBe(image)

    const layout = join(basalt.folder, 'layout')
    skopeo(
      'copy',
      '--preserve-digests',
      '--src-tls-verify=false',
      `${repository}@${image}`,
      `oci:${layout}:web`,
    )
    expect(digestAt(`oci:${layout}:web`)).toBe(image)
    skopeo(
      'copy',
      '--src-tls-verify=false',
      `${repository}:release-1`,
      `docker-archive:${join(basalt.folder, 'web.tar')}`,
    )

    const mine = `docker://${address}/team/mine`
    const credentials = ['--dest-tls-verify=false', '--dest-creds', `ci:${push}`]
    skopeo('copy', '--preserve-digests', ...credentials, `oci:${layout}:web`, `${mine}:from-layout`)
    expect(digestAt(`${mine}:from-layout`)).toBe(image)
    skopeo('copy', ...credentials, `docker-archive:${join(basalt.folder, 'web.tar')}`, `${mine}:from-archive`)
    expect(digestAt(`${mine}:from-archive`)).toMatch(/^sha256:/)
    expect(JSON.parse(skopeo('list-tags', '--tls-verify=false', mine)).Tags).toEqual([
      'from-archive',
      'from-layout',
    ])
  })

  it('copies a whole release, with all that is attached', () => {
    const layout = join(basalt.folder, 'whole')
    const from = `docker://${address}/tiny:release-1`
    skopeo('copy', '--all', '--src-tls-verify=false', '--src-creds', `ci:${push}`, from, `oci:${layout}:shop`)
    expect(readdirSync(join(layout, 'blobs/sha256')).length).toBeGreaterThan(4)
    expect(() =>
      skopeo('copy', '--all', '--src-tls-verify=false', '--src-no-creds', from, `oci:${layout}-2:shop`),
    ).toThrow(/unauthorized|authentication/i)
  })

  it('is told why it may not push, or not that', () => {
    const layout = `oci:${join(basalt.folder, 'layout')}:web`
    const to = `docker://${address}/team/mine`
    expect(() => skopeo('copy', '--dest-tls-verify=false', layout, `${to}:x`)).toThrow(
      /unauthorized|authentication/i,
    )
    const credentials = ['--dest-tls-verify=false', '--dest-creds', `ci:${push}`]
    const archive = `docker-archive:${join(basalt.folder, 'web.tar')}`
    skopeo('copy', '--format', 'oci', ...credentials, archive, `${to}:fixed`)
    expect(() => skopeo('copy', '--format', 'v2s2', ...credentials, archive, `${to}:fixed`)).toThrow(
      /a tag never changes its meaning/,
    )
  })
})

describe('a server that is killed', () => {
  it('goes on with an upload where it was', async () => {
    const authorization = `Basic ${Buffer.from(`ci:${push}`).toString('base64')}`
    const ask = (
      method: string,
      path: string,
      init: { body?: Buffer; headers?: Record<string, string> } = {},
    ) => fetch(`http://${address}${path}`, { ...init, method, headers: { authorization, ...init.headers } })
    const bytes = Buffer.alloc(5_000_000, 'killed in between ')
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    const location = (await ask('POST', '/v2/team/app/blobs/uploads/')).headers.get('location') ?? ''
    expect((await ask('PATCH', location, { body: bytes.subarray(0, 3_000_000) })).status).toBe(202)

    const { server } = await basalt.json<{ server: { pid: number } }>(['server', 'status'])
    process.kill(server.pid, 'SIGKILL')
    // The next command starts the next server, which serves the registry as it was set.
    await basalt.json(['registry', 'status'])

    expect((await ask('GET', location)).headers.get('range')).toBe('0-2999999')
    const rest = { body: bytes.subarray(3_000_000), headers: { 'content-range': '3000000-4999999' } }
    expect((await ask('PATCH', location, rest)).status).toBe(202)
    expect((await ask('PUT', `${location}?digest=${digest}`)).status).toBe(201)
    const pulled = Buffer.from(await (await ask('GET', `/v2/team/app/blobs/${digest}`)).arrayBuffer())
    expect(pulled.equals(bytes)).toBe(true)
  })
})

describe.skipIf(withoutSkopeo)('an image that was pushed (skipped where skopeo is missing)', () => {
  it('is what a release can be built from; then the registry keeps it for that release', async () => {
    const pushed = digestAt(`docker://${address}/team/mine:from-layout`)
    writeTinySystem(basalt.project, {
      services: {
        web: { image: pushed, port: 8080, expose: true, health: { http: '/up' }, replicas: 2 },
      },
      environments: { staging: { ingress: await freePort(), watch: '0s' } },
    })
    const { release, images } = await basalt.json<BuildResult>(['build'])
    expect([release.name, images[0]?.image]).toEqual(['tiny@2', pushed])
    const { secret } = await basalt.json<RegistryToken>(['registry', 'grant', 'cleaner', '--scope', 'delete'])
    expect(() =>
      skopeo(
        'delete',
        '--tls-verify=false',
        '--creds',
        `cleaner:${secret}`,
        `docker://${address}/team/mine:from-layout`,
      ),
    ).toThrow(/the release tiny@1 and 1 other release needs it/)
  })
})
