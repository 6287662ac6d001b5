import { chmodSync, rmSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Digest } from '../../../core/ids.ts'
import type { Release, ReleaseService } from '../../../core/release.ts'
import type { Descriptor } from '../../content-store.ts'
import { mediaTypes } from '../../descriptor.ts'
import { storeImage, storeJson, tarOf } from '../../image.fixture.ts'
import { loadImage } from '../../image.ts'
import { releaseType } from '../../release-artifact.ts'
import { createReleaseShelf } from '../../release-shelf.ts'
import { openTestRegistry, putManifest, type TestRegistry } from './registry.fixture.ts'

let registry: TestRegistry
let web: Descriptor
let bill: Descriptor

const service = (image: Digest): ReleaseService => ({
  image,
  run: {
    command: null,
    env: { PASSWORD_FILE: '/run/secret' },
    ports: [{ port: 80, protocol: 'http' }],
    health: { kind: 'running', intervalMs: 1000, timeoutMs: 500, startMs: 5000, retries: 3 },
    needs: [],
    writable: [],
    volumes: [],
    stateful: false,
    limits: { memoryBytes: null, cpus: null, pids: 100 },
    user: null,
    capabilities: [],
    stop: { signal: 'SIGTERM', graceMs: 1000 },
  },
  expose: [],
  replicas: 1,
})

const imageOf = async (text: string): Promise<Descriptor> =>
  storeImage(registry.content, { layers: [await tarOf([{ name: 'app', content: text }])] })

/** A document about an image, as builders attach them. */
async function attach(subject: Descriptor): Promise<Descriptor> {
  const { content } = registry
  const layer = await storeJson(content, 'application/vnd.cyclonedx+json', { packages: [subject.digest] })
  const manifest = await storeJson(content, mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType: layer.mediaType,
    config: await storeJson(content, mediaTypes.empty, {}),
    layers: [layer],
    subject,
    annotations: { about: 'web' },
  })
  await content.refer({ ...manifest, artifactType: layer.mediaType })
  return manifest
}

/** As the engine freezes and the ledger tells. */
async function freeze(version: number, services: Readonly<Record<string, Digest>>): Promise<Digest> {
  const release: Release = {
    schema: 'basalt.release/v1',
    system: 'shop',
    services: Object.fromEntries(Object.entries(services).map(([name, image]) => [name, service(image)])),
    source: { revision: String(version).repeat(40), dirty: false },
    builders: {},
    lock: null,
  }
  const { artifact } = await createReleaseShelf(registry.content).put(release)
  registry.releases.push({ system: 'shop', version, name: `shop@${version}`, artifact })
  return artifact
}

beforeEach(async () => {
  registry = await openTestRegistry()
  web = await imageOf('web')
  bill = await attach(web)
  await freeze(1, { web: web.digest, worker: web.digest, api: (await imageOf('api')).digest })
})
afterEach(() => registry.close())

const manifestPath = (repository: string, reference: string): string =>
  `/v2/${repository}/manifests/${reference}`

describe('the image of a service', () => {
  it('is pulled by digest from <system>/<service>, with its config and layers, and nobody copied it', async () => {
    const { layers, configDescriptor } = await loadImage(registry.content, web.digest)
    for (const repository of ['shop/web', 'shop/worker']) {
      const answer = await registry.ask('GET', manifestPath(repository, web.digest), { as: null })
      expect([answer.status, answer.headers['content-type']]).toEqual([200, mediaTypes.manifest])
      expect(answer.body).toEqual(await registry.content.read(web.digest))
      for (const { digest } of [configDescriptor, ...layers.map(({ descriptor }) => descriptor)])
        expect((await registry.ask('GET', `/v2/${repository}/blobs/${digest}`, { as: null })).status).toBe(
          200,
        )
    }
    expect((await registry.ask('GET', manifestPath('shop/api', web.digest))).status).toBe(404)
    expect((await registry.ask('GET', manifestPath('shop/other', web.digest))).status).toBe(404)
  })

  it('has a tag for each release', async () => {
    const second = await imageOf('web, second')
    await freeze(2, { web: second.digest })
    const { json } = await registry.ask('GET', '/v2/shop/web/tags/list')
    expect(json().tags).toEqual(['release-1', 'release-2'])
    for (const [tag, digest] of [
      ['release-1', web.digest],
      ['release-2', second.digest],
    ] as const)
      expect(
        (await registry.ask('HEAD', manifestPath('shop/web', tag))).headers['docker-content-digest'],
      ).toBe(digest)
    expect((await registry.ask('GET', '/v2/shop/worker/tags/list')).json().tags).toEqual(['release-1'])
    expect((await registry.ask('GET', '/v2/_catalog')).json().repositories).toEqual([
      'shop',
      'shop/api',
      'shop/web',
      'shop/worker',
    ])
  })

  it('comes with what is attached to it', async () => {
    const { json } = await registry.ask('GET', `/v2/shop/web/referrers/${web.digest}`)
    expect(json().manifests).toEqual([
      {
        mediaType: mediaTypes.manifest,
        digest: bill.digest,
        size: bill.size,
        artifactType: 'application/vnd.cyclonedx+json',
        annotations: { about: 'web' },
      },
    ])
    expect((await registry.ask('GET', manifestPath('shop/web', bill.digest))).status).toBe(200)
  })

  it('can be mounted into a repository of somebody’s own', async () => {
    const { layers, configDescriptor } = await loadImage(registry.content, web.digest)
    for (const { digest } of [configDescriptor, ...layers.map(({ descriptor }) => descriptor)])
      expect(
        (await registry.ask('POST', `/v2/team/app/blobs/uploads/?mount=${digest}&from=shop/web`)).status,
      ).toBe(201)
    const bytes = await registry.content.read(web.digest)
    expect((await putManifest(registry, 'team/app', 'v1', { bytes, mediaType: web.mediaType })).status).toBe(
      201,
    )
  })

  it('shares its repository with what is pushed there, but not its tags', async () => {
    const bytes = await registry.content.read(web.digest)
    const pushed = { bytes, mediaType: web.mediaType }
    expect((await putManifest(registry, 'shop/web', 'nightly', pushed)).status).toBe(201)
    expect((await putManifest(registry, 'shop/web', 'release-1', pushed)).status).toBe(201)
    expect(await putManifest(registry, 'shop/api', 'release-1', pushed)).toMatchObject({ codes: ['DENIED'] })
    expect((await registry.ask('GET', '/v2/shop/web/tags/list')).json().tags).toEqual([
      'nightly',
      'release-1',
    ])
  })
})

describe('a whole release', () => {
  it('is in the repository of its system: document, images and what is attached', async () => {
    const { headers, json } = await registry.ask('GET', manifestPath('shop', 'release-1'))
    expect(headers['content-type']).toBe(mediaTypes.index)
    expect(json().artifactType).toBe(releaseType)
    for (const { digest } of json().manifests) {
      const manifest = await registry.ask('GET', manifestPath('shop', digest))
      expect(manifest.status).toBe(200)
      for (const blob of [manifest.json().config, ...manifest.json().layers])
        expect((await registry.ask('HEAD', `/v2/shop/blobs/${blob.digest}`)).status).toBe(200)
    }
  })

  it('is for those with a token only: it holds configuration', async () => {
    expect((await registry.ask('GET', manifestPath('shop', 'release-1'), { as: null })).status).toBe(401)
    const { json } = await registry.ask('GET', '/token?scope=repository:shop:pull', { as: null })
    const headers = { authorization: `Bearer ${json().token}` }
    expect((await registry.ask('GET', manifestPath('shop', 'release-1'), { as: null, headers })).status).toBe(
      401,
    )
    expect((await registry.ask('GET', manifestPath('shop', 'release-1'), { as: 'pull' })).status).toBe(200)
    const index = (await registry.ask('GET', manifestPath('shop', 'release-1'))).json()
    // Nor is it to be had by way of an image's repository.
    for (const { digest } of index.manifests.filter(({ artifactType }) => artifactType === releaseType))
      expect((await registry.ask('GET', manifestPath('shop/web', digest), { as: null })).status).toBe(404)
  })
})

describe('deleting what a release needs', () => {
  it('is refused with its name: tag, manifest, blob', async () => {
    const { layers } = await loadImage(registry.content, web.digest)
    const layer = layers[0]?.descriptor.digest ?? ''
    await freeze(2, { web: web.digest })
    for (const path of [
      manifestPath('shop/web', 'release-1'),
      manifestPath('shop/web', web.digest),
      manifestPath('shop/web', bill.digest),
      manifestPath('shop', 'release-1'),
      `/v2/shop/web/blobs/${layer}`,
    ]) {
      const answer = await registry.ask('DELETE', path)
      expect(answer, path).toMatchObject({ status: 403, codes: ['DENIED'] })
      expect(answer.json().errors[0].message).toContain('the release shop@1')
    }
    expect((await registry.ask('DELETE', `/v2/shop/web/blobs/${layer}`)).json().errors[0]).toMatchObject({
      message: `shop/web keeps ${layer}: the release shop@1 and 1 other release needs it`,
      detail: { releases: ['shop@1', 'shop@2'] },
    })
  })

  it('is refused where somebody has pushed it too', async () => {
    const bytes = await registry.content.read(web.digest)
    const { layers, configDescriptor } = await loadImage(registry.content, web.digest)
    for (const { digest } of [configDescriptor, ...layers.map(({ descriptor }) => descriptor)])
      await registry.ask('POST', `/v2/mine/blobs/uploads/?mount=${digest}&from=shop/web`)
    await putManifest(registry, 'mine', 'v1', { bytes, mediaType: web.mediaType })
    for (const reference of ['v1', web.digest])
      expect((await registry.ask('DELETE', manifestPath('mine', reference))).status).toBe(403)
  })

  it('is refused when nobody can tell, because a release cannot be read', async () => {
    const pushed = await registry.ask(
      'POST',
      '/v2/mine/blobs/uploads/?digest=sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae',
      { body: 'foo' },
    )
    expect(pushed.status).toBe(201)
    const artifact = await freeze(2, { web: (await imageOf('lost')).digest })
    chmodSync(registry.content.path(artifact), 0o644)
    rmSync(registry.content.path(artifact))
    const answer = await registry.ask(
      'DELETE',
      '/v2/mine/blobs/sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae',
    )
    expect(answer.status).toBeGreaterThanOrEqual(400)
    // The other releases are served all the same.
    expect((await registry.ask('GET', manifestPath('shop/web', web.digest))).status).toBe(200)
    expect((await registry.ask('GET', '/v2/shop/web/tags/list')).json().tags).toEqual(['release-1'])
    expect(registry.log.join('\n')).toContain('shop@2 cannot be read')
  })
})
