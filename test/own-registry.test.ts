import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BuildResult, DeploymentResult, PulledImage, PushedImage } from '../src/engine/engine.ts'
import { type BasaltHome, freePort, openBasaltHome } from './basalt-home.fixture.ts'
import { tinyService, writePage, writeTinyFiles, writeTinySystem } from './tiny-system.fixture.ts'

/** One Basalt makes images and releases, a second one has the registry, a third one runs what is there. */
describe('the registry of another Basalt', () => {
  let maker: BasaltHome
  let keeper: BasaltHome
  let runner: BasaltHome
  let registry: string
  let port: number
  let first: string

  const login = (home: BasaltHome, secret: string): void => {
    mkdirSync(join(home.folder, '.docker'), { recursive: true })
    const auth = Buffer.from(`ci:${secret}`).toString('base64')
    writeFileSync(
      join(home.folder, '.docker/config.json'),
      JSON.stringify({ auths: { [registry]: { auth } } }),
    )
  }
  const build = async (text: string): Promise<BuildResult> => {
    writePage(maker.project, 'index.html', `${text}\n`)
    return maker.json<BuildResult>(['build'])
  }

  beforeAll(async () => {
    maker = openBasaltHome()
    keeper = openBasaltHome()
    runner = openBasaltHome()
    port = await freePort()
    registry = `127.0.0.1:${await freePort()}`
    await keeper.json(['registry', 'enable', registry])
    const { secret } = await keeper.json<{ readonly secret: string }>([
      'registry',
      'grant',
      'ci',
      '--scope',
      'push',
    ])
    login(maker, secret)
    login(runner, secret)
    writeTinyFiles(maker.project)
    const web = tinyService({ expose: { tcp: port }, port: '8080/tcp' })
    writeTinySystem(maker.project, { services: { web } })
    first = (await build('one')).images[0]?.image ?? ''
  }, 120_000)
  afterAll(async () => {
    await runner.close()
    await keeper.close()
    await maker.close()
  }, 150_000)

  it('takes an image, and serves it by its tag', async () => {
    const name = `${registry}/team/web:1`
    const pushed = await maker.json<PushedImage>(['image', 'push', first, name])
    expect(pushed).toMatchObject({ digest: first, blobs: { present: 0, mounted: 0 } })
    const pulled = await runner.json<PulledImage>(['image', 'pull', name])
    expect(pulled).toMatchObject({ image: first, digest: first })
    const again = await maker.json<PushedImage>(['image', 'push', first, `${registry}/other/web:1`])
    expect(again.blobs.sent).toBe(0)
  }, 60_000)

  it('refuses to move a tag, and says so', async () => {
    const second = (await build('two')).images[0]?.image ?? ''
    const refused = await maker.fails(['image', 'push', second, `${registry}/team/web:1`])
    expect(refused).toMatchObject({ code: 'registry.push-refused' })
    expect(refused.message).toContain(first)
  }, 60_000)

  it('has releases, from which another Basalt runs', async () => {
    await maker.json(['release', 'push', 'tiny@2', `${registry}/releases/tiny:2`])
    await runner.json(['release', 'pull', `${registry}/releases/tiny:2`])
    writeTinySystem(runner.project, {
      services: { web: tinyService({ expose: { tcp: port }, port: '8080/tcp' }) },
    })
    const deployed = await runner.json<DeploymentResult>(['deploy', 'tiny@1'])
    expect(deployed.outcome).toBe('succeeded')
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('two\n')
  }, 90_000)
})
