import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Digest } from '../../../core/ids.ts'
import type { Release } from '../../../core/release.ts'
import { aService } from '../../../engine/memory-engine.fixture.ts'
import { mediaTypes } from '../../descriptor.ts'
import { storeJson, tarOf } from '../../image.fixture.ts'
import { loadImage, machinePlatform, mediaTypeOf, readJson } from '../../image.ts'
import { reachableBlobs } from '../../reachable-blobs.ts'
import { type ImageReference, parseReference } from '../../reference.ts'
import { createReleaseShelf } from '../../release-shelf.ts'
import { anImage, type ClientFixture, openClient } from './client.fixture.ts'
import {
  type DockerRegistry,
  dockerRegistryMissing,
  type RegistryOptions,
  refreshToken,
  registryUser,
  startDockerRegistry,
} from './docker-registry.fixture.ts'

const machine = `${machinePlatform.os}/${machinePlatform.architecture}`
const other = machinePlatform.architecture === 'arm64' ? 'amd64' : 'arm64'
const auth = Buffer.from(`${registryUser.user}:${registryUser.password}`).toString('base64')

let maker: ClientFixture
let taker: ClientFixture
beforeEach(async () => {
  maker = await openClient()
  taker = await openClient()
})
afterEach(() => {
  maker.close()
  taker.close()
})

/** All of it is there, and right. */
async function expectComplete(digest: Digest): Promise<void> {
  const { store } = taker
  const root = {
    mediaType: mediaTypeOf(await readJson(store, digest)),
    digest,
    size: await store.size(digest),
  }
  for (const blob of (await reachableBlobs(store, [root])).keys()) await store.verify(blob)
  expect((await store.references()).map((entry) => entry.digest)).toContain(digest)
  expect(taker.leftovers()).toEqual([])
}

describe.skipIf(dockerRegistryMissing)('with docker-registry (skipped where it is missing)', () => {
  const open = (options: RegistryOptions = {}) => {
    const opened: { registry: DockerRegistry } = { registry: undefined as never }
    beforeAll(async () => void (opened.registry = await startDockerRegistry(options)), 30_000)
    afterAll(() => opened.registry.close())
    return {
      reference: (path: string): ImageReference => parseReference(`${opened.registry.name}/${path}`),
      registry: () => opened.registry,
    }
  }

  describe('without login', () => {
    const { reference } = open()

    it.each(['none', 'gzip', 'zstd'] as const)(
      'an image with %s layers comes back byte for byte, by tag and by digest',
      async (compression) => {
        const image = await anImage(maker.store, ['a', 'b'], { compression, largeBytes: 300_000 })
        const to = reference(`team/${compression}:1`)
        const pushed = await maker.client.push(image.digest, to, maker.op)
        expect(pushed).toMatchObject({ descriptor: image, blobs: { present: 0, mounted: 0, sent: 4 } })
        expect(await taker.client.resolve(to, taker.op)).toEqual(image)

        const pulled = await taker.client.pull(to, machinePlatform, taker.op)
        expect(pulled).toMatchObject({ image: image.digest, resolved: image, platform: machine })
        expect(pulled.fetchedBytes).toBe(pulled.sizeBytes + (await configSize(image.digest)))
        await expectComplete(image.digest)
        expect(await taker.store.read(image.digest)).toEqual(await maker.store.read(image.digest))

        const again = await taker.client.pull(
          { ...to, tag: null, digest: image.digest },
          machinePlatform,
          taker.op,
        )
        expect(again.fetchedBytes).toBe(0)
      },
    )

    const configSize = async (image: Digest) => (await loadImage(maker.store, image)).configDescriptor.size

    it('an image of Docker comes with its media types as they are', async () => {
      const image = await dockerImage()
      await maker.client.push(image.digest, reference('docker:1'), maker.op)
      const pulled = await taker.client.pull(reference('docker:1'), machinePlatform, taker.op)
      expect(pulled.image).toBe(image.digest)
      await expectComplete(image.digest)
    })

    async function dockerImage() {
      const image = await anImage(maker.store, ['d'], { compression: 'gzip' })
      const { config, layers } = (await readJson(maker.store, image.digest)) as Record<'config', object> & {
        layers: object[]
      }
      return storeJson(maker.store, mediaTypes.dockerManifest, {
        schemaVersion: 2,
        mediaType: mediaTypes.dockerManifest,
        config: { ...config, mediaType: mediaTypes.dockerConfig },
        layers: layers.map((layer) => ({ ...layer, mediaType: mediaTypes.dockerLayerTarGzip })),
      })
    }

    it.each([mediaTypes.index, mediaTypes.dockerIndex])(
      'of an index (%s) the platform is chosen',
      async (mediaType) => {
        const own = await anImage(maker.store, ['own'])
        const foreign = await anImage(maker.store, ['foreign'], { architecture: other })
        const index = await storeJson(maker.store, mediaType, {
          schemaVersion: 2,
          mediaType,
          manifests: [
            { ...foreign, platform: { os: 'linux', architecture: other } },
            { ...own, platform: machinePlatform },
          ],
        })
        const to = reference(`multi/${mediaType.includes('docker') ? 'docker' : 'oci'}:1`)
        await maker.client.push(index.digest, to, maker.op)
        const pulled = await taker.client.pull(to, machinePlatform, taker.op)
        expect(pulled).toMatchObject({ image: own.digest, resolved: index })
        await expectComplete(own.digest)
        expect(await taker.store.has(foreign.digest)).toBe(false)
        // So that the digest of the index leads to the image without a network.
        expect((await loadImage(taker.store, index.digest)).digest).toBe(own.digest)
      },
    )

    it('an image for another platform only is refused, naming what there is', async () => {
      const foreign = await anImage(maker.store, ['x'], { architecture: other, largeBytes: 10_000 })
      const index = await storeJson(maker.store, mediaTypes.index, {
        schemaVersion: 2,
        mediaType: mediaTypes.index,
        manifests: [{ ...foreign, platform: { os: 'linux', architecture: other, variant: 'v8' } }],
      })
      await maker.client.push(index.digest, reference('foreign:index'), maker.op)
      await maker.client.push(foreign.digest, reference('foreign:image'), maker.op)
      for (const [tag, only] of [
        ['index', `linux/${other}/v8`],
        ['image', `linux/${other}`],
      ])
        await expect(
          taker.client.pull(reference(`foreign:${tag}`), machinePlatform, taker.op),
        ).rejects.toMatchObject({
          code: 'image.invalid',
          message: expect.stringContaining(`foreign:${tag} is not for ${machine}, only for ${only}`),
        })
      expect(await taker.store.references()).toEqual([])
    })

    it('only blobs that are missing are sent, and those of another repository are taken over', async () => {
      const first = await anImage(maker.store, ['base', 'one'], { largeBytes: 200_000 })
      await maker.client.push(first.digest, reference('mount/a:1'), maker.op)
      const again = await maker.client.push(first.digest, reference('mount/a:2'), maker.op)
      expect(again).toMatchObject({ blobs: { present: 4, mounted: 0, sent: 0 }, sentBytes: 0 })
      const elsewhere = await maker.client.push(first.digest, reference('mount/b:1'), maker.op)
      expect(elsewhere).toMatchObject({ blobs: { present: 0, mounted: 4, sent: 0 }, sentBytes: 0 })
      // Whoever pulled knows where the blobs are, too.
      await taker.client.pull(reference('mount/a:1'), machinePlatform, taker.op)
      const third = await taker.client.push(first.digest, reference('mount/c:1'), taker.op)
      expect(third.blobs).toEqual({ present: 0, mounted: 4, sent: 0 })
    })

    it.skipIf(spawnSync('skopeo', ['--version']).error !== undefined)(
      'skopeo reads what was pushed, and what skopeo pushed is pulled (skipped where skopeo is missing)',
      async () => {
        const image = await anImage(maker.store, ['s'], { largeBytes: 50_000 })
        const { registry } = reference('x')
        await maker.client.push(image.digest, reference('skopeo:1'), maker.op)
        const copy = ['--insecure-policy', 'copy', '-q', '--src-tls-verify=false', '--dest-tls-verify=false']
        const to = `docker://${registry}/skopeo-copy:1`
        execFileSync('skopeo', [...copy, '--preserve-digests', `docker://${registry}/skopeo:1`, to])
        const pulled = await taker.client.pull(reference('skopeo-copy:1'), machinePlatform, taker.op)
        expect(pulled.image).toBe(image.digest)
        await expectComplete(image.digest)
      },
    )

    it('a release comes back with all that it needs, and is listed last', async () => {
      const image = await anImage(maker.store, ['released'], { compression: 'gzip', largeBytes: 50_000 })
      await maker.store.refer(image)
      const { artifact, releaseDigest } = await createReleaseShelf(maker.store).put(aRelease(image.digest))
      await maker.client.push(artifact, reference('release:1'), maker.op)
      const pulled = await taker.client.pullRelease(reference('release:1'), taker.op)
      expect(pulled).toMatchObject({ artifact, releaseDigest, release: { system: 'shop' } })
      await expectComplete(artifact)
      expect((await taker.store.references()).map(({ digest }) => digest)).toEqual([image.digest, artifact])
      expect(await createReleaseShelf(taker.store).get(releaseDigest)).toEqual(aRelease(image.digest))
    })

    it('a release with a layer that no root would take is not taken in; nor is an image as a release', async () => {
      const image = await anImage(maker.store, [], {
        layers: [await tarOf([{ name: '../../etc/passwd', content: 'evil' }])],
        compression: 'zstd',
      })
      const { artifact } = await createReleaseShelf(maker.store).put(aRelease(image.digest))
      await maker.client.push(artifact, reference('release:evil'), maker.op)
      await maker.client.push(image.digest, reference('release:image'), maker.op)
      await expect(taker.client.pullRelease(reference('release:evil'), taker.op)).rejects.toMatchObject({
        code: 'image.invalid',
        message: expect.stringContaining('leads upwards'),
      })
      await expect(taker.client.pullRelease(reference('release:image'), taker.op)).rejects.toMatchObject({
        code: 'release.archive-invalid',
        message: expect.stringContaining('it is no release'),
      })
      expect(await taker.store.references()).toEqual([])
      expect(taker.leftovers()).toEqual([])
    })

    const aRelease = (image: Digest): Release => ({
      schema: 'basalt.release/v1',
      system: 'shop',
      services: { web: { image, run: aService('1').run, expose: [], replicas: 1 } },
      source: { revision: null, dirty: false },
      builders: {},
      lock: null,
    })

    it('what is not there is told by name', async () => {
      for (const path of ['nothing:1', `nothing@sha256:${'0'.repeat(64)}`])
        for (const ask of ['resolve', 'pull'] as const)
          await expect(
            ask === 'pull'
              ? taker.client.pull(reference(path), machinePlatform, taker.op)
              : taker.client.resolve(reference(path), taker.op),
          ).rejects.toMatchObject({ code: 'registry.image-unknown', message: expect.stringContaining(path) })
      expect(taker.waits).toEqual([])
    })

    it('a push under another digest is refused before anything is sent', async () => {
      const image = await anImage(maker.store, ['p'])
      const wrong = reference(`wrong@sha256:${'1'.repeat(64)}`)
      await expect(maker.client.push(image.digest, wrong, maker.op)).rejects.toMatchObject({
        code: 'request.invalid',
      })
      await maker.client.push(image.digest, reference(`right@${image.digest}`), maker.op)
      expect(await taker.client.resolve(reference(`right@${image.digest}`), taker.op)).toEqual(image)
    })

    it('a blob that went bad here is told as such, not as the fault of the registry', async () => {
      const image = await anImage(maker.store, ['bad'])
      const [layer] = (await loadImage(maker.store, image.digest)).layers
      const path = maker.store.path(layer?.descriptor.digest as Digest)
      execFileSync('chmod', ['u+w', path])
      const size = layer?.descriptor.size ?? 0
      writeFileSync(path, Buffer.alloc(size, 1))
      await expect(maker.client.push(image.digest, reference('bad:1'), maker.op)).rejects.toMatchObject({
        code: 'content.corrupt',
      })
    })
  })

  describe('with user and password', () => {
    const { reference, registry } = open({ auth: 'basic' })

    it.each([
      ['in the file', () => ({ auths: { [registry().name]: { auth } } })],
      ['in the file, by its address', () => ({ auths: { [`https://${registry().name}/v2/`]: { auth } } })],
      ['of a helper for the registry', () => ({ credHelpers: { [registry().name]: 'test' } })],
      ['of a helper for all', () => ({ credsStore: 'test', auths: { [registry().name]: {} } })],
    ])('they are found %s', async (_, config) => {
      mkdirSync(join(maker.folder, 'bin'))
      const { user, password } = registryUser
      const answer = JSON.stringify({ ServerURL: 'x', Username: user, Secret: password })
      const script = `#!/bin/sh\nread server\n[ "$1 $server" = "get ${registry().name}" ] && echo '${answer}'\n`
      writeFileSync(join(maker.folder, 'bin/docker-credential-test'), script, { mode: 0o755 })
      maker.writeDockerConfig(config())
      const image = await anImage(maker.store, ['basic'])
      await maker.client.push(image.digest, reference('basic:1'), maker.op)
      expect(await maker.client.resolve(reference('basic:1'), maker.op)).toEqual(image)
    })

    it('without them, and with wrong ones, it is refused, saying how to log in', async () => {
      await expect(taker.client.resolve(reference('basic:1'), taker.op)).rejects.toMatchObject({
        code: 'registry.denied',
        message: expect.stringContaining('user and password'),
        remedy: expect.stringContaining(`docker login ${registry().name}`),
      })
      taker.writeDockerConfig({ auths: { [registry().name]: { username: 'ada', password: 'wrong' } } })
      await expect(taker.client.resolve(reference('basic:1'), taker.op)).rejects.toMatchObject({
        code: 'registry.denied',
        details: { loggedIn: true },
      })
    })
  })

  describe('with tokens', () => {
    const { reference, registry } = open({ auth: 'token' })

    it('whoever logged in may push, and everybody may pull', async () => {
      const image = await anImage(maker.store, ['token'])
      maker.writeDockerConfig({ auths: { [registry().name]: { auth } } })
      await maker.client.push(image.digest, reference('token/a:1'), maker.op)
      // The scope of a token has both repositories.
      const mounted = await maker.client.push(image.digest, reference('token/b:1'), maker.op)
      expect(mounted.blobs).toEqual({ present: 0, mounted: 2, sent: 0 })
      expect((await taker.client.pull(reference('token/a:1'), machinePlatform, taker.op)).image).toBe(
        image.digest,
      )
      await expect(taker.client.push(image.digest, reference('token/a:2'), taker.op)).rejects.toMatchObject({
        code: 'registry.denied',
      })
    })

    it('a refresh token is as good as a password', async () => {
      const image = await anImage(maker.store, ['refresh'])
      maker.writeDockerConfig({ auths: { [registry().name]: { auth, identitytoken: refreshToken } } })
      await maker.client.push(image.digest, reference('refresh:1'), maker.op)
      maker.writeDockerConfig({ auths: { [registry().name]: { auth, identitytoken: 'old' } } })
      await expect(maker.client.push(image.digest, reference('refresh:1'), maker.op)).rejects.toMatchObject({
        code: 'registry.denied',
        message: expect.stringContaining('wrong password'),
      })
    })
  })

  describe('with a certificate of an own authority', () => {
    const { reference, registry } = open({ tls: 'server' })

    it('is trusted only where it is named, as for Docker or by the system', async () => {
      const image = await anImage(maker.store, ['tls'])
      await expect(maker.client.push(image.digest, reference('tls:1'), maker.op)).rejects.toMatchObject({
        code: 'registry.unreachable',
        remedy: expect.stringContaining(`/etc/docker/certs.d/${registry().name}/ca.crt`),
      })
      mkdirSync(join(maker.certificatesFolder, registry().name))
      copyFileSync(
        join(registry().folder, 'registry.crt'),
        join(maker.certificatesFolder, registry().name, 'ca.crt'),
      )
      await maker.client.push(image.digest, reference('tls:1'), maker.op)
      const trusting = await openClient({ SSL_CERT_FILE: join(registry().folder, 'registry.crt') })
      try {
        expect(await trusting.client.resolve(reference('tls:1'), trusting.op)).toEqual(image)
      } finally {
        trusting.close()
      }
    })

    it('is reached by the proxy of the environment, as long as it is not on this machine', async () => {
      const [, port] = registry().name.split(':')
      const asked: string[] = []
      const proxy = createServer().on('connect', (request: IncomingMessage, client: Socket) => {
        asked.push(request.url ?? '')
        const upstream = connect(Number(port), '127.0.0.1', () => {
          client.write('HTTP/1.1 200 OK\r\n\r\n')
          upstream.pipe(client).pipe(upstream)
        })
        for (const socket of [client, upstream]) socket.on('error', () => upstream.destroy())
      })
      proxy.listen(0, '127.0.0.1')
      await once(proxy, 'listening')
      const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
      const environment = { SSL_CERT_FILE: join(registry().folder, 'registry.crt'), HTTPS_PROXY: address }
      const behind = await openClient(environment)
      try {
        const image = await anImage(behind.store, ['proxied'])
        await behind.client.push(image.digest, reference('direct:1'), behind.op)
        expect(asked).toEqual([])
        await behind.client.push(image.digest, parseReference('registry.test/proxied:1'), behind.op)
        expect(new Set(asked)).toEqual(new Set(['registry.test:443']))
        expect(await behind.client.resolve(reference('proxied:1'), behind.op)).toEqual(image)
      } finally {
        behind.close()
        proxy.close()
        proxy.closeAllConnections()
      }
    })
  })

  describe('that asks for a certificate', () => {
    const { reference, registry } = open({ tls: 'client' })

    it('gets the one that lies beside its authority', async () => {
      const folder = join(maker.certificatesFolder, registry().name)
      mkdirSync(folder)
      const copy = (from: string, to: string) => copyFileSync(join(registry().folder, from), join(folder, to))
      copy('registry.crt', 'ca.crt')
      const image = await anImage(maker.store, ['mutual'])
      await expect(maker.client.push(image.digest, reference('mutual:1'), maker.op)).rejects.toMatchObject({
        code: 'registry.unreachable',
      })
      copy('registry.crt', 'client.cert')
      copy('registry.key', 'client.key')
      await maker.client.push(image.digest, reference('mutual:1'), maker.op)
      expect(await maker.client.resolve(reference('mutual:1'), maker.op)).toEqual(image)
    })
  })
})
