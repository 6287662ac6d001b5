import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Release, ReleaseName } from '../src/core/release.ts'
import type { BuildResult, DeploymentResult, PulledImage, PushedImage } from '../src/engine/engine.ts'
import {
  type DockerRegistry,
  dockerRegistryMissing,
  startDockerRegistry,
} from '../src/images/registry/client/docker-registry.fixture.ts'
import { type BasaltHome, freePort, openBasaltHome } from './basalt-home.fixture.ts'
import { tinyService, writePage, writeTinyFiles, writeTinySystem } from './tiny-system.fixture.ts'

/** One Basalt makes images and pushes them to a registry; the other one knows nothing but their names. */
describe.skipIf(dockerRegistryMissing)('an image of docker-registry (skipped where it is missing)', () => {
  let registry: DockerRegistry
  let maker: BasaltHome
  let basalt: BasaltHome
  let port: number
  let releasePort: number
  let first: string
  let second: string

  const build = async (text: string): Promise<string> => {
    writeTinyFiles(maker.project)
    writePage(maker.project, 'index.html', `${text}\n`)
    const web = tinyService({ expose: { tcp: releasePort }, port: '8080/tcp' })
    writeTinySystem(maker.project, { services: { web } })
    return (await maker.json<BuildResult>(['build'])).images[0]?.image ?? ''
  }
  const push = (image: string, path: string): Promise<PushedImage> =>
    maker.json<PushedImage>(['image', 'push', image, `${registry.name}/${path}`])

  beforeAll(async () => {
    registry = await startDockerRegistry()
    maker = openBasaltHome()
    basalt = openBasaltHome()
    port = await freePort()
    releasePort = await freePort()
    first = await build('one')
    second = await build('two')
    await push(first, 'team/web:1')
  }, 90_000)
  afterAll(async () => {
    try {
      await basalt.close()
    } finally {
      await maker.close()
      await registry.close()
    }
  }, 120_000)

  const { build: _, ...settings } = tinyService()
  const write = (source: Record<string, unknown>): void => {
    const web = { ...settings, ...source, expose: { tcp: port }, port: '8080/tcp' }
    writeTinySystem(basalt.project, { services: { web } })
  }
  const deploys = async (): Promise<string> => {
    expect((await basalt.json<DeploymentResult>(['deploy'])).outcome).toBe('succeeded')
    return (await fetch(`http://127.0.0.1:${port}/`)).text()
  }
  const lock = (): string => readFileSync(join(basalt.project, 'basalt.lock'), 'utf8')

  it('is resolved, fetched, pinned and run by its tag', async () => {
    write({ image: `${registry.name}/team/web:1` })
    expect(await deploys()).toBe('one\n')
    expect(lock()).toContain(`images:\n  ${registry.name}/team/web:1: ${first}\n`)
    const { stdout } = await basalt.run(['build'])
    expect(stdout).toContain(`${registry.name}/team/web:1 → ${first}\n`)
  }, 90_000)

  it('stays what it is when its tag is moved, until that is asked for; the release has the digest only', async () => {
    await push(second, 'team/web:1')
    const unchanged = await basalt.json<BuildResult>(['build'])
    expect(unchanged).toMatchObject({ created: false, images: [{ image: first }] })

    const { stdout } = await basalt.run(['build', '--update'])
    expect(stdout).toContain(`${registry.name}/team/web:1 → ${second} (was ${first})\n`)
    const { documents } = await basalt.json<{ readonly documents: { readonly to: Release } }>([
      'diff',
      '1',
      '2',
    ])
    expect(documents.to.services['web']?.image).toBe(second)
    expect(JSON.stringify(documents)).not.toContain('team/web')
    expect(await deploys()).toBe('two\n')
  }, 90_000)

  it('is the base of an image that is built', async () => {
    writeTinyFiles(basalt.project)
    write({ build: { base: `${registry.name}/team/web:1`, copy: ['basalt.yaml:/www/index.html'] } })
    expect(await deploys()).toContain('"system": "tiny"')
    expect(lock()).toContain(`${registry.name}/team/web:1: ${second}\n`)
  }, 90_000)

  it('is pulled by hand, and a release is pushed with all that it needs', async () => {
    const pulled = await basalt.json<PulledImage>(['image', 'pull', `${registry.name}/team/web:1`])
    expect(pulled).toMatchObject({ image: second, digest: second, fetchedBytes: 0 })
    const pushed = await push('tiny@1', 'tiny/release:1')
    expect(pushed).toMatchObject({ release: 'tiny@1', reference: `${registry.name}/tiny/release:1` })
    // The layers of the image are in the registry already.
    expect(pushed.blobs.mounted).toBeGreaterThan(0)
    const again = await push('tiny@1', 'tiny/release:1')
    expect(again).toMatchObject({ blobs: { mounted: 0, sent: 0 }, digest: pushed.digest })
  }, 60_000)

  it('comes with a release that is pulled, and runs on a machine that has built nothing', async () => {
    const { release } = await maker.json<BuildResult>(['build'])
    await maker.json(['release', 'push', release.name, `${registry.name}/tiny/release:2`])
    const other = openBasaltHome()
    try {
      const pull = ['release', 'pull', `${registry.name}/tiny/release:2`]
      const pulled = await other.json<{ readonly release: ReleaseName }>(pull)
      expect(pulled.release).toEqual({ name: 'tiny@1', version: 1, digest: release.digest })
      cpSync(join(maker.project, 'basalt.yaml'), join(other.project, 'basalt.yaml'))
      const deployed = await other.json<DeploymentResult>(['deploy', 'tiny@1'])
      expect(deployed).toMatchObject({ outcome: 'succeeded', release: { digest: release.digest } })
      expect(await (await fetch(`http://127.0.0.1:${releasePort}/`)).text()).toBe('two\n')

      const refused = await other.fails(['release', 'pull', `${registry.name}/team/web:1`])
      expect(refused).toMatchObject({ code: 'release.archive-invalid' })
      expect(refused.message).toContain('it is no release, but something else')
    } finally {
      await other.close()
    }
  }, 120_000)

  it('is asked for at its place in basalt.yaml, where there is none', async () => {
    write({ image: `${registry.name}/team/web:2` })
    const unknown = await basalt.fails(['build'])
    expect(unknown).toMatchObject({ code: 'registry.image-unknown', exitCode: 1 })
    expect(unknown.message).toMatch(/basalt\.yaml:\d+:\d+: .* has no image .*team\/web:2/)
    const nobody = await freePort()
    write({ build: { base: `127.0.0.1:${nobody}/base:1` } })
    const unreachable = await basalt.fails(['build'])
    expect(unreachable).toMatchObject({ code: 'registry.unreachable', exitCode: 3 })
    expect(unreachable.message).toMatch(
      /basalt\.yaml:\d+:\d+: .*base:1: the registry .* could not be reached/,
    )
    expect(unreachable.remedy).toContain('Check the name')
  }, 60_000)
})
