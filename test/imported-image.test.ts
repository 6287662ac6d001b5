import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BuildResult, DeploymentResult, ImportedImage } from '../src/engine/engine.ts'
import { type BasaltHome, freePort, openBasaltHome } from './basalt-home.fixture.ts'
import { tinyService, writeTinyFiles, writeTinySystem } from './tiny-system.fixture.ts'

interface Imported {
  readonly images: readonly ImportedImage[]
}

/** An image that this Basalt did not build: it comes from the store of another one, which is an OCI layout. */
describe('an imported image', () => {
  let maker: BasaltHome
  let basalt: BasaltHome
  let port: number
  let built: BuildResult

  beforeAll(async () => {
    maker = openBasaltHome()
    basalt = openBasaltHome()
    port = await freePort()
    writeTinyFiles(maker.project)
    writeTinySystem(maker.project, { services: { web: tinyService() } })
    built = await maker.json<BuildResult>(['build'])
  }, 60_000)
  afterAll(async () => {
    try {
      await basalt.close()
    } finally {
      await maker.close()
    }
  }, 120_000)

  const { build: _, ...settings } = tinyService()
  const deploys = async (source: Record<string, unknown>): Promise<string> => {
    const web = { ...settings, ...source, expose: { tcp: port }, port: '8080/tcp' }
    writeTinySystem(basalt.project, { services: { web } })
    const deployed = await basalt.json<DeploymentResult>(['deploy'])
    expect(deployed.outcome).toBe('succeeded')
    return (await fetch(`http://127.0.0.1:${port}/`)).text()
  }

  it('runs as a service, and is the base of an image that is built', async () => {
    const layout = join(maker.home, 'images')
    const [imported] = (await basalt.json<Imported>(['image', 'import', layout])).images
    expect(imported?.image).toBe(built.images[0]?.image)
    expect(await deploys({ image: imported?.image })).toBe('one\n')

    writeTinyFiles(basalt.project)
    const build = { base: imported?.image, copy: ['basalt.yaml:/www/index.html'] }
    expect(await deploys({ build })).toContain('"system": "tiny"')
  }, 90_000)

  it.skipIf(spawnSync('skopeo', ['--version']).error !== undefined)(
    'comes from an archive of skopeo too, compressed (skipped where skopeo is missing)',
    async () => {
      const exported = join(maker.folder, 'tiny.tar')
      await maker.json(['release', 'export', 'tiny@1', exported])
      const archive = join(maker.folder, 'web.tar')
      const from = `oci-archive:${exported}:web`
      execFileSync('skopeo', ['--insecure-policy', 'copy', '-q', from, `docker-archive:${archive}:web:1`])
      execFileSync('gzip', [archive])
      const { images } = await basalt.json<Imported>(['image', 'import', `${archive}.gz`])
      expect(images).toMatchObject([{ name: expect.stringMatching(/web:1$/) }])
      expect(await deploys({ image: images[0]?.image })).toBe('one\n')
    },
    90_000,
  )

  it('is asked for, at its place in basalt.yaml, where it is missing', async () => {
    const missing = `sha256:${'0'.repeat(64)}`
    writeTinySystem(basalt.project, {
      services: {
        one: { image: missing },
        two: { build: { base: missing } },
      },
    })
    const refusal = await basalt.fails(['build'])
    expect(refusal).toMatchObject({ code: 'image.unknown', exitCode: 1 })
    expect(refusal.message).toMatch(
      new RegExp(
        `basalt\\.yaml:5:\\d+: the image ${missing} is not in the content store.*\\n.*basalt\\.yaml:9:\\d+: the image`,
      ),
    )
    expect(refusal.message).toContain('basalt image import')
  })
})
