import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { basic, openTestRegistry, type TestRegistry } from './registry.fixture.ts'
import type { RegistrySettings } from './registry-settings.ts'

const patience = { timeout: 20_000 }

let registry: TestRegistry
let folder: string
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'basalt-tls-'))
  registry = await openTestRegistry()
})
afterEach(async () => {
  await registry.close()
  rmSync(folder, { recursive: true })
})

const plain = (listen: string): RegistrySettings => ({ listen, tls: null, anonymousPull: true })

function makeCertificate(name: string): NonNullable<RegistrySettings['tls']> {
  const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name},IP:127.0.0.1`]
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '1',
      ...subject,
      '-keyout',
      key,
      '-out',
      certificate,
    ],
    { stdio: 'pipe' },
  )
  return { certificate, key }
}

/** Status of `/v2/`, and whose certificate was shown. */
const askTls = (url: string, headers: Record<string, string>) =>
  new Promise<{ status: number; certificate: PeerCertificate; challenge: string }>((resolve, reject) => {
    const ca = readFileSync(join(folder, 'cert.pem'))
    request(`${url}/v2/`, { agent: false, ca, headers, checkServerIdentity: () => undefined }, (response) => {
      const certificate = (response.socket as TLSSocket).getPeerCertificate()
      response.resume().on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          certificate,
          challenge: String(response.headers['www-authenticate']),
        }),
      )
    })
      .on('error', reject)
      .end()
  })

describe('plain HTTP', () => {
  it.each(['0.0.0.0:5000', '[::]:5000', '10.1.2.3:5000'])('is refused at %s', async (listen) => {
    const before = registry.registry.status().settings
    await expect(registry.registry.enable(plain(listen))).rejects.toMatchObject({
      code: 'registry.settings-invalid',
      message: expect.stringContaining('plain HTTP is served on loopback addresses only'),
      remedy: expect.stringContaining('--cert'),
    })
    expect(registry.registry.status()).toMatchObject({ settings: before, problem: null })
    expect((await registry.ask('GET', '/v2/')).status).toBe(200)
  })

  it.each(['5000', 'example.com:5000', '127.0.0.1', '127.0.0.1:99999', ''])(
    'takes no "%s" for an address',
    async (listen) => {
      await expect(registry.registry.enable(plain(listen))).rejects.toMatchObject({
        code: 'registry.settings-invalid',
      })
    },
  )

  it('is served at other loopback addresses', async () => {
    const { url } = await registry.registry.enable(plain('[::1]:0'))
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/)
    expect((await registry.ask('GET', '/v2/')).status).toBe(200)
  })
})

const withoutOpenssl = spawnSync('openssl', ['version']).error !== undefined

describe.skipIf(withoutOpenssl)('TLS (skipped where openssl is missing)', () => {
  it('is served with the given certificate, and needs a token everywhere', async () => {
    const tls = makeCertificate('registry.example')
    const { url } = await registry.registry.enable({ listen: '0.0.0.0:0', tls, anonymousPull: true })
    const local = (url ?? '').replace('0.0.0.0', '127.0.0.1')
    const { status, certificate, challenge } = await askTls(local, {})
    expect([status, certificate.subject.CN]).toEqual([401, 'registry.example'])
    expect(challenge).toContain(`realm="${local}/token"`)
    const authorization = basic('pull', registry.secrets.pull)
    expect((await askTls(local, { authorization })).status).toBe(200)
  })

  it('takes a renewed certificate without a break, and keeps the old one while the files are no pair', async () => {
    const tls = makeCertificate('first.example')
    const { url } = await registry.registry.enable({ listen: '127.0.0.1:0', tls, anonymousPull: true })
    const shown = async (): Promise<string> => String((await askTls(url ?? '', {})).certificate.subject.CN)
    expect(await shown()).toBe('first.example')
    writeFileSync(tls.key, 'being written')
    await expect.poll(() => registry.log.join('\n'), patience).toContain('the certificate was not renewed')
    expect(await shown()).toBe('first.example')
    makeCertificate('second.example')
    await expect.poll(shown, patience).toBe('second.example')
  })

  it('refuses files that are no certificate, and goes on as before', async () => {
    const tls = makeCertificate('a.example')
    writeFileSync(tls.key, 'no key')
    await expect(
      registry.registry.enable({ listen: '127.0.0.1:0', tls, anonymousPull: true }),
    ).rejects.toMatchObject({
      code: 'registry.settings-invalid',
    })
    await expect(
      registry.registry.enable({
        listen: '127.0.0.1:0',
        tls: { ...tls, key: '/nowhere' },
        anonymousPull: true,
      }),
    ).rejects.toMatchObject({ code: 'registry.settings-invalid' })
    expect((await registry.ask('GET', '/v2/')).status).toBe(200)
  })
})

describe('a registry that was switched on', () => {
  it('waits for its port, and says so meanwhile', async () => {
    const { port } = new URL(registry.url)
    await registry.registry.enable(plain(`127.0.0.1:${port}`))
    await registry.registry.close()
    const blocker = createServer().listen(Number(port), '127.0.0.1')
    await once(blocker, 'listening')
    await registry.reopen()
    expect(registry.registry.status()).toMatchObject({
      url: null,
      problem: expect.stringContaining('another program does'),
    })
    blocker.close()
    await expect
      .poll(() => registry.registry.status(), patience)
      .toMatchObject({ url: `http://127.0.0.1:${port}`, problem: null })
  })

  it('is served again by the next server, and not when it was switched off', async () => {
    const { host } = registry
    await registry.restart()
    expect(registry.host).toBe(host)
    expect(await registry.registry.disable()).toEqual({ settings: null, url: null, problem: null })
    await expect(fetch(`http://${host}/v2/`)).rejects.toThrow('fetch failed')
  })

  it('cannot take a port that another program has, and says so', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    await expect(registry.registry.enable(plain(`127.0.0.1:${port}`))).rejects.toMatchObject({
      code: 'port.taken',
    })
    expect((await registry.ask('GET', '/v2/')).status).toBe(200)
    other.close()
  })
})
