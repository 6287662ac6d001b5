import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Digest } from '../../../core/ids.ts'
import type { Descriptor } from '../../content-store.ts'
import { mediaTypes } from '../../descriptor.ts'
import { type Member, storeImage, storeJson, tarOf } from '../../image.fixture.ts'
import { loadImage, machinePlatform } from '../../image.ts'
import { type ImageReference, parseReference } from '../../reference.ts'
import { anImage, type ClientFixture, openClient } from './client.fixture.ts'
import type { PulledImage } from './pull-image.ts'
import { breakOff, type ScriptedRegistry, serve, startScriptedRegistry } from './scripted-registry.fixture.ts'

let maker: ClientFixture
let taker: ClientFixture
let registry: ScriptedRegistry
let tags: Record<string, Descriptor>
beforeEach(async () => {
  maker = await openClient()
  taker = await openClient()
  tags = {}
  registry = await startScriptedRegistry(maker.store, tags)
})
afterEach(async () => {
  await registry.close()
  maker.close()
  taker.close()
})

const reference = (tag: string): ImageReference => parseReference(`${registry.name}/team/web:${tag}`)
const pull = (tag = '1', op = taker.op): Promise<PulledImage> =>
  taker.client.pull(reference(tag), machinePlatform, op)
const isBlob = (url = ''): boolean => url.includes('/blobs/')
const layerOf = async (image: Descriptor): Promise<Descriptor> => {
  const [layer] = (await loadImage(maker.store, image.digest)).layers
  return layer?.descriptor as Descriptor
}
/** An image of one layer that has no bytes twice. */
const largeImage = async (): Promise<{ image: Descriptor; layer: Descriptor; bytes: Buffer }> => {
  const image = await anImage(maker.store, [], { largeBytes: 1_000_000 })
  const layer = await layerOf(image)
  tags['1'] = image
  return { image, layer, bytes: await maker.store.read(layer.digest) }
}
/** Nothing that was refused may count as being there. */
async function expectNothingTaken(): Promise<void> {
  expect(await taker.store.references()).toEqual([])
  expect(taker.leftovers()).toEqual([])
}

describe('a connection that breaks', () => {
  it('is gone on with at the byte where it broke, as often as there is progress', async () => {
    const { image, layer, bytes } = await largeImage()
    registry.script = (request, response) => {
      const from = Number(/\d+/.exec(request.headers.range ?? '0')?.[0])
      if (!request.url?.endsWith(layer.digest) || from > 900_000) return false
      breakOff(request, response, bytes, 100_000)
      return true
    }
    expect((await pull()).image).toBe(image.digest)
    await taker.store.verify(layer.digest)
    const ranges = registry.requests
      .filter(({ url }) => url.endsWith(layer.digest))
      .map(({ headers }) => headers.range)
    expect(ranges.length).toBeGreaterThan(8)
    expect(ranges[0]).toBeUndefined()
    const starts = ranges.slice(1).map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1]))
    expect(starts).toEqual([...new Set(starts)].toSorted((a, b) => a - b))
    // Each byte was sent once: no answer began before the end of the one before it.
    expect(starts[0]).toBeGreaterThan(0)
    await expectComplete(image)
  })

  it('is begun again where the registry knows no ranges, without a byte being taken twice', async () => {
    const { image, layer, bytes } = await largeImage()
    let answers = 0
    registry.script = (request, response) => {
      if (!request.url?.endsWith(layer.digest)) return false
      delete request.headers.range
      if (++answers > 2) serve(request, response, bytes)
      else breakOff(request, response, bytes, 400_000 * answers)
      return true
    }
    await pull()
    await expectComplete(image)
    expect(answers).toBe(3)
  })

  it('is given up after some attempts without a byte; the next pull needs only what is missing', async () => {
    const image = await anImage(maker.store, ['small'], { largeBytes: 500_000 })
    tags['1'] = image
    const large = (await loadImage(maker.store, image.digest)).layers[1]?.descriptor as Descriptor
    registry.script = (request, response) => {
      if (!request.url?.endsWith(large.digest)) return false
      response.destroy()
      return true
    }
    await expect(pull()).rejects.toMatchObject({ code: 'registry.unreachable' })
    expect(taker.waits).toEqual([1000, 2000, 4000, 8000])
    expect(taker.events.map(({ code }) => code)).toContain('registry.retry')
    await expectNothingTaken()
    registry.script = () => false
    registry.requests.length = 0
    expect((await pull()).fetchedBytes).toBe(large.size)
    expect(registry.requests.filter(({ url }) => isBlob(url)).map(({ url }) => url)).toEqual([
      expect.stringContaining(large.digest),
    ])
    await expectComplete(image)
  })

  it('ends at once where nobody listens', async () => {
    const { name } = registry
    await registry.close()
    const nobody = parseReference(`${name}/team/web:1`)
    await expect(taker.client.resolve(nobody, taker.op)).rejects.toMatchObject({
      code: 'registry.unreachable',
      message: expect.stringMatching(/web:1: the registry .* could not be reached: .*ECONNREFUSED/),
    })
    expect(taker.waits).toEqual([])
  })

  it('is left when nobody wants it any more, and nothing half fetched stays', async () => {
    const { layer } = await largeImage()
    const stop = new AbortController()
    registry.script = (request, response) => {
      if (!request.url?.endsWith(layer.digest)) return false
      response.writeHead(200, { 'content-length': layer.size })
      response.write(Buffer.alloc(1000), () => stop.abort())
      return true
    }
    await expect(pull('1', { signal: stop.signal })).rejects.toMatchObject({ code: 'request.interrupted' })
    await expectNothingTaken()
  })
})

describe('wrong bytes', () => {
  const wrong: Record<string, (bytes: Buffer) => Buffer> = {
    'with one bit turned': (bytes) =>
      Buffer.concat([bytes.subarray(0, -1), Buffer.from([255 - (bytes.at(-1) ?? 0)])]),
    'that are more': (bytes) => Buffer.concat([bytes, Buffer.from('more')]),
    'of something else': (bytes) => Buffer.alloc(bytes.byteLength, 'evil'),
  }
  it.each(Object.entries(wrong))('of a layer, %s, are refused and kept', async (_, change) => {
    const { layer, bytes } = await largeImage()
    registry.script = (request, response) => {
      if (!request.url?.endsWith(layer.digest)) return false
      serve(request, response, change(bytes))
      return true
    }
    const error = await pull().catch((cause: unknown) => cause)
    expect(error).toMatchObject({ code: 'registry.wrong-bytes', details: { expected: layer.digest } })
    const [evidence] = taker.evidence()
    expect((error as Error).message).toContain(
      `${layer.digest}; nothing of it was taken, and the bytes are kept in`,
    )
    const kept = readFileSync(join(taker.store.folder, 'corrupt', evidence ?? ''))
    expect(kept.equals(change(bytes).subarray(0, kept.byteLength))).toBe(true)
    expect(kept.byteLength).toBeGreaterThanOrEqual(bytes.byteLength)
    expect(await taker.store.has(layer.digest)).toBe(false)
    await expectNothingTaken()
  })

  it('that are fewer are asked for, and refused when no more come', async () => {
    const { layer, bytes } = await largeImage()
    registry.script = (request, response) => {
      if (!request.url?.endsWith(layer.digest)) return false
      // The registry says that this is all.
      response.writeHead(200).end(bytes.subarray(0, 1000))
      return true
    }
    await expect(pull()).rejects.toMatchObject({ code: expect.stringMatching(/^registry\./) })
    await expectNothingTaken()
  })

  it('of a manifest that was asked for by its digest are refused and kept', async () => {
    const { image } = await largeImage()
    const evil = Buffer.from('{"schemaVersion":2}')
    registry.script = (request, response) => {
      if (!request.url?.includes('/manifests/')) return false
      response.setHeader('docker-content-digest', image.digest)
      serve(request, response, evil)
      return true
    }
    const exact = { ...reference('1'), tag: null, digest: image.digest }
    await expect(taker.client.pull(exact, machinePlatform, taker.op)).rejects.toMatchObject({
      code: 'registry.wrong-bytes',
    })
    const [evidence] = taker.evidence()
    expect(readFileSync(join(taker.store.folder, 'corrupt', evidence ?? ''))).toEqual(evil)
    await expectNothingTaken()
  })

  it('behind a good digest of a layer: its content is not what the config says', async () => {
    tags['1'] = await storeImage(maker.store, {
      architecture: machinePlatform.architecture,
      layers: [await tarOf([{ name: 'a', content: 'a' }])],
      compression: 'gzip',
      diffIds: [`sha256:${'5'.repeat(64)}`],
    })
    await expect(pull()).rejects.toMatchObject({
      code: 'image.invalid',
      message: expect.stringContaining('its content is'),
    })
    await expectNothingTaken()
    // What stays of it does not count the next time either.
    await expect(pull()).rejects.toMatchObject({ code: 'image.invalid' })
  })
})

describe('layers that no root would take', () => {
  const members: Record<string, Member> = {
    'a path that climbs': { name: '../../etc/passwd', content: 'evil' },
    'an absolute path': { name: '/etc/passwd', content: 'evil' },
    'a device': { name: 'dev/sda', type: 'block-device', devmajor: 8, devminor: 0 },
  }
  const cases = Object.entries(members).flatMap(([what, member]) =>
    (['none', 'gzip', 'zstd'] as const).map((compression) => [what, compression, member] as const),
  )
  it.each(cases)(
    'with %s, compressed with %s, are refused before they count',
    async (_, compression, member) => {
      tags['1'] = await storeImage(maker.store, {
        architecture: machinePlatform.architecture,
        layers: [await tarOf([{ name: 'good', content: 'good' }, member])],
        compression,
      })
      const [layer] = (await loadImage(maker.store, tags['1'].digest)).layers
      await expect(pull()).rejects.toMatchObject({
        code: 'image.invalid',
        message: expect.stringContaining(layer?.descriptor.digest ?? ''),
      })
      await expectNothingTaken()
    },
  )
})

describe('what is no image', () => {
  it('is refused where layers are elsewhere, before any is fetched', async () => {
    const image = await anImage(maker.store, ['x'])
    const layer = await layerOf(image)
    const { configDescriptor: config } = await loadImage(maker.store, image.digest)
    const types = [layer.mediaType, 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip']
    for (const mediaType of types) {
      tags['1'] = await storeJson(maker.store, mediaTypes.manifest, {
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config,
        layers: [{ ...layer, mediaType, urls: ['https://elsewhere.example/x'] }],
      })
      await expect(pull()).rejects.toMatchObject({
        code: 'image.invalid',
        message: expect.stringMatching(
          /its layer sha256:.* is not in the registry, but at addresses elsewhere/,
        ),
      })
    }
    expect(registry.requests.some(({ url }) => isBlob(url))).toBe(false)
  })

  it.each([
    [
      'of schema 1',
      { schemaVersion: 1, fsLayers: [] },
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
      /old schema 1/,
    ],
    ['something else', { hello: 1 }, 'text/plain', /its media type is "text\/plain"/],
    ['an index with nothing', { schemaVersion: 2, manifests: [] }, mediaTypes.index, /only for no platform/],
    [
      'a manifest without sense',
      { schemaVersion: 2, config: 1, layers: [] },
      mediaTypes.manifest,
      /cannot be used/,
    ],
  ])('is refused: %s', async (_, document, mediaType, message) => {
    tags['1'] = await storeJson(maker.store, mediaType, document)
    registry.script = (_request, response) => {
      response.setHeader('content-type', mediaType)
      return false
    }
    await expect(pull()).rejects.toMatchObject({
      code: 'image.invalid',
      message: expect.stringMatching(message),
    })
    await expectNothingTaken()
  })

  it('a manifest without an end is read no further than its limit', async () => {
    let sentBytes = 0
    registry.script = (_request, response) => {
      const more = (): void => {
        sentBytes += 65_536
        response.write(Buffer.alloc(65_536, ' '), (error) => (error ? undefined : more()))
      }
      more()
      return true
    }
    await expect(pull()).rejects.toMatchObject({
      code: 'registry.failed',
      message: expect.stringContaining('a manifest of more than 4194304 bytes'),
    })
    expect(sentBytes).toBeLessThan(64 * 2 ** 20)
  })
})

describe('a registry that is busy', () => {
  const busy = (times: number, status: number, headers: Record<string, string>) => {
    let answers = 0
    registry.script = (_request, response) => {
      if (++answers > times) return false
      const error = { code: 'TOOMANYREQUESTS', message: 'slow \u001b[31mdown' }
      response.writeHead(status, headers).end(JSON.stringify({ errors: [error] }))
      return true
    }
  }

  it('is asked again when it said to, and else ever less often', async () => {
    await largeImage()
    busy(1, 429, { 'retry-after': '7' })
    await pull()
    expect(taker.waits).toEqual([7000])
    taker.waits.length = 0
    busy(3, 503, {})
    await taker.client.resolve(reference('1'), taker.op)
    expect(taker.waits).toEqual([1000, 2000, 4000])
  })

  it('is not waited for without end', async () => {
    await largeImage()
    busy(100, 429, { 'retry-after': '86400' })
    await expect(pull()).rejects.toMatchObject({
      code: 'registry.failed',
      message: expect.stringMatching(/answered 429: slow {2}\[31mdown$/),
    })
    expect(taker.waits).toEqual([])
    busy(100, 500, {})
    await expect(pull()).rejects.toMatchObject({ code: 'registry.failed' })
    expect(taker.waits).toHaveLength(4)
  })
})

describe('credentials', () => {
  const login = (): void =>
    taker.writeDockerConfig({ auths: { [registry.name]: { username: 'ada', password: 'secret' } } })
  const basic = `Basic ${Buffer.from('ada:secret').toString('base64')}`
  const askForBasic: ScriptedRegistry['script'] = ({ headers }, response) => {
    if (headers.authorization === basic) return false
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
    return true
  }

  it('do not go to the host of a redirect, from which the blobs come all the same', async () => {
    const { image } = await largeImage()
    login()
    const storage = await startScriptedRegistry(maker.store, tags)
    try {
      registry.script = async (request, response) => {
        if (await askForBasic(request, response)) return true
        if (!isBlob(request.url)) return false
        response.writeHead(307, { location: `http://${storage.name}${request.url}` }).end()
        return true
      }
      await pull()
      await expectComplete(image)
      expect(
        registry.requests.filter(({ headers }) => headers.authorization === basic).length,
      ).toBeGreaterThan(2)
      expect(storage.requests).toHaveLength(2)
      expect(storage.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true)
    } finally {
      await storage.close()
    }
  })

  it.each(['http://registry.example.com/x', 'ftp://127.0.0.1/x', 'file:///etc/passwd'])(
    'nor anything else to an address without HTTPS: %s',
    async (location) => {
      await largeImage()
      registry.script = (request, response) => {
        if (!isBlob(request.url)) return false
        response.writeHead(302, { location }).end()
        return true
      }
      await expect(pull()).rejects.toMatchObject({
        code: 'registry.failed',
        message: expect.stringContaining('which is not asked by HTTPS'),
      })
    },
  )

  it('redirects in a circle have an end', async () => {
    await largeImage()
    registry.script = ({ url }, response) => {
      response.writeHead(307, { location: url }).end()
      return true
    }
    await expect(pull()).rejects.toMatchObject({
      message: expect.stringContaining('redirects more than 5 times'),
    })
  })

  it.each([
    ['http://auth.example.com/token', /not asked by HTTPS/],
    ['nonsense', /names no token server/],
  ])('a token server is not asked at %s', async (realm, message) => {
    await largeImage()
    login()
    registry.script = (_request, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s"` }).end()
      return true
    }
    await expect(pull()).rejects.toMatchObject({
      code: 'registry.failed',
      message: expect.stringMatching(message),
    })
  })

  it('a token that runs out on the way is renewed, once', async () => {
    const { image } = await largeImage()
    let tokens = 0
    const good = new Set<string>()
    registry.script = ({ url = '', headers }, response) => {
      if (url.startsWith('/token')) {
        good.clear()
        good.add(`Bearer token-${++tokens}`)
        response.end(JSON.stringify({ token: `token-${tokens}`, expires_in: 60 }))
        return true
      }
      const isGood = good.has(headers.authorization ?? '')
      // Good for two requests.
      if (isGood && registry.requests.length % 2 === 0) good.clear()
      if (isGood) return false
      response
        .writeHead(401, {
          'www-authenticate': `Bearer realm="http://${registry.name}/token",service="s",scope="x:y:z"`,
        })
        .end()
      return true
    }
    await pull()
    await expectComplete(image)
    expect(tokens).toBeGreaterThan(1)
    const [asked] = registry.requests.filter(({ url }) => url.startsWith('/token'))
    const query = new URL(asked?.url ?? '', 'http://x').searchParams
    expect(query.getAll('scope')).toEqual(['repository:team/web:pull', 'x:y:z'])
    expect(query.get('service')).toBe('s')
  })
})

describe('a push', () => {
  it('that breaks off is begun anew, each upload at its own address', async () => {
    const { image, layer } = await largeImage()
    const uploads = new Map<string, Buffer>()
    let begun = 0
    registry.script = async (request, response) => {
      const { method, url = '' } = request
      if (method === 'HEAD') response.writeHead(404).end()
      else if (method === 'POST')
        response.writeHead(202, { location: `/v2/team/web/blobs/uploads/${++begun}?state=a` }).end()
      else if (url.includes('/manifests/')) response.writeHead(201).end()
      else {
        const chunks: Buffer[] = []
        for await (const chunk of request) {
          chunks.push(chunk as Buffer)
          if (begun < 3 && url.includes(encodeURIComponent(layer.digest))) response.destroy()
        }
        uploads.set(url, Buffer.concat(chunks))
        response.writeHead(201).end()
      }
      return true
    }
    const pushed = await maker.client.push(image.digest, reference('2'), maker.op)
    expect(pushed.blobs).toEqual({ present: 0, mounted: 0, sent: 2 })
    expect(begun).toBeGreaterThan(2)
    const sent = [...uploads].find(([url]) => url.includes(encodeURIComponent(layer.digest)))
    expect(sent?.[0]).toContain('state=a&digest=')
    expect(sent?.[1].equals(await maker.store.read(layer.digest))).toBe(true)
  })

  it('to an address on another host gives it no credentials, even when it asks for some', async () => {
    const { image } = await largeImage()
    maker.writeDockerConfig({ auths: { [registry.name]: { username: 'ada', password: 'secret' } } })
    const other = await startScriptedRegistry(maker.store, {})
    try {
      other.script = (_request, response) => {
        const challenge = `Bearer realm="http://${other.name}/token",service="s"`
        response.writeHead(401, { 'www-authenticate': challenge }).end()
        return true
      }
      registry.script = ({ method, headers }, response) => {
        if (headers.authorization === undefined)
          response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
        else if (method === 'HEAD') response.writeHead(404).end()
        else response.writeHead(202, { location: `http://${other.name}/upload` }).end()
        return true
      }
      await expect(maker.client.push(image.digest, reference('2'), maker.op)).rejects.toMatchObject({
        code: 'registry.denied',
      })
      expect(registry.requests.some(({ headers }) => headers.authorization !== undefined)).toBe(true)
      expect(other.requests.length).toBeGreaterThan(0)
      expect(other.requests.map(({ method, headers }) => [method, headers.authorization])).toEqual(
        other.requests.map(() => ['PUT', undefined]),
      )
    } finally {
      await other.close()
    }
  })

  it('that is refused says why', async () => {
    const { image } = await largeImage()
    registry.script = ({ method, url = '' }, response) => {
      if (method === 'HEAD') response.writeHead(200).end()
      else
        response
          .writeHead(409)
          .end(JSON.stringify({ errors: [{ code: 'TAG_IMMUTABLE', message: `no ${url.length}` }] }))
      return true
    }
    await expect(maker.client.push(image.digest, reference('2'), maker.op)).rejects.toMatchObject({
      code: 'registry.push-refused',
      message: expect.stringMatching(/did not take the tag 2: no \d+$/),
    })
  })

  it('that is stored under another digest has failed', async () => {
    const { image } = await largeImage()
    registry.script = ({ method }, response) => {
      if (method === 'HEAD') response.writeHead(200).end()
      else response.writeHead(201, { 'docker-content-digest': `sha256:${'7'.repeat(64)}` }).end()
      return true
    }
    await expect(maker.client.push(image.digest, reference('2'), maker.op)).rejects.toMatchObject({
      code: 'registry.failed',
      message: expect.stringContaining('in place of'),
    })
  })
})

async function expectComplete(image: Descriptor): Promise<void> {
  expect(await taker.store.references()).toEqual([image])
  const { layers } = await loadImage(taker.store, image.digest)
  for (const digest of [image.digest, ...layers.map(({ descriptor }): Digest => descriptor.digest)])
    await taker.store.verify(digest)
  expect(taker.leftovers()).toEqual([])
}
