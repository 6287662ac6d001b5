import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BuildResult } from '../src/engine/engine.ts'
import type { RegistryToken } from '../src/server/registry-routes.ts'
import { type BasaltHome, freePort, openBasaltHome } from './basalt-home.fixture.ts'
import { type DockerEngine, dockerMissing, openDockerEngine } from './docker-engine.fixture.ts'
import { tinyService, writeTinyFiles, writeTinySystem } from './tiny-system.fixture.ts'

/* docker pull and docker push against the registry of a real server. */

const missing = dockerMissing()

describe.skipIf(missing !== null)(`a Docker Engine${missing === null ? '' : `, which ${missing}`}`, () => {
  let basalt: BasaltHome
  let engine: DockerEngine
  let address: string
  let secret: string

  beforeAll(async () => {
    basalt = openBasaltHome()
    address = `127.0.0.1:${await freePort()}`
    await basalt.json(['registry', 'enable', address])
    secret = (await basalt.json<RegistryToken>(['registry', 'grant', 'ci', '--scope', 'push'])).secret
    engine = await openDockerEngine()
  }, 120_000)
  afterAll(async () => {
    await engine?.close()
    await basalt.close()
  })

  /** An image with one small file of this text. */
  function importImage(name: string, text: string): void {
    const root = join(basalt.folder, 'root')
    mkdirSync(root, { recursive: true })
    writeFileSync(join(root, 'file'), text)
    const tar = execFileSync('tar', ['-C', root, '-c', '.'])
    engine.dockerWith(tar, 'import', '-', name)
  }

  it('pulls the image of a release by digest, without a token', async () => {
    writeTinyFiles(basalt.project)
    writeTinySystem(basalt.project, {
      services: { web: tinyService() },
      environments: { staging: { ingress: await freePort(), watch: '0s' } },
    })
    const { images } = await basalt.json<BuildResult>(['build'])
    const reference = `${address}/tiny/web@${images[0]?.image ?? ''}`
    engine.docker('pull', reference)
    expect(JSON.parse(engine.docker('image', 'inspect', reference))[0].RepoDigests).toEqual([reference])
    engine.docker('pull', `${address}/tiny/web:release-1`)
  })

  it('is told why it may not push', () => {
    importImage(`${address}/team/app:v1`, 'one')
    expect(() => engine.docker('push', `${address}/team/app:v1`)).toThrow(/denied|unauthorized/)
    expect(() => engine.dockerWith('wrong', 'login', '-u', 'ci', '--password-stdin', address)).toThrow(
      /unauthorized/,
    )
  })

  it('logs in, pushes, and pulls again what it pushed', () => {
    expect(engine.dockerWith(secret, 'login', '-u', 'ci', '--password-stdin', address)).toContain(
      'Login Succeeded',
    )
    const name = `${address}/team/app:v1`
    const pushed = engine.docker('push', name)
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1] ?? ''
    expect(digest, pushed).not.toBe('')
    const before = engine.docker('image', 'inspect', '--format', '{{.Id}}', name)
    engine.docker('rmi', name)
    engine.docker('pull', `${address}/team/app@${digest}`)
    expect(engine.docker('image', 'inspect', '--format', '{{.Id}}', `${address}/team/app@${digest}`)).toBe(
      before,
    )
    engine.docker('tag', `${address}/team/app@${digest}`, name)
    expect(engine.docker('push', name)).toContain('Layer already exists')
  })

  it('mounts layers into another repository instead of sending them', () => {
    engine.docker('tag', `${address}/team/app:v1`, `${address}/team/copy:v1`)
    expect(engine.docker('push', `${address}/team/copy:v1`)).toContain('Mounted from team/app')
  })

  it('cannot give a tag another meaning', () => {
    importImage(`${address}/team/app:v1`, 'two')
    expect(() => engine.docker('push', `${address}/team/app:v1`)).toThrow(/a tag never changes its meaning/)
  })
})
