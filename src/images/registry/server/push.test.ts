import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOfBytes } from '../../../core/digest.ts'
import { mediaTypes } from '../../descriptor.ts'
import {
  type Answer,
  jsonBytes,
  openTestRegistry,
  prepareManifest,
  pushBlob,
  putManifest,
  type TestRegistry,
} from './registry.fixture.ts'

/* distribution-spec 1.1, "Push", sentence by sentence. */

let registry: TestRegistry
beforeAll(async () => {
  registry = await openTestRegistry()
})
afterAll(() => registry.close())

const octets = { 'content-type': 'application/octet-stream' }
const begin = async (repository = 'app'): Promise<string> => {
  const { status, headers } = await registry.ask('POST', `/v2/${repository}/blobs/uploads/`)
  expect(status).toBe(202)
  expect(headers['range']).toBe('0-0')
  return String(headers.location)
}
const patch = (location: string, body: string | Readable, headers = {}): Promise<Answer> =>
  registry.ask('PATCH', location, { headers: { ...octets, ...headers }, body })
const end = (location: string, whole: string, body?: string, headers = {}): Promise<Answer> =>
  registry.ask('PUT', `${location}?digest=${digestOfBytes(whole)}`, {
    headers: { ...octets, ...headers },
    ...(body === undefined ? {} : { body }),
  })
const blobOf = async (text: string, repository = 'app'): Promise<string> =>
  (await registry.ask('GET', `/v2/${repository}/blobs/${digestOfBytes(text)}`)).body.toString()

describe('pushing a blob', () => {
  it('POST then PUT', async () => {
    const { status, headers } = await end(await begin(), 'post then put', 'post then put')
    expect(status).toBe(201)
    expect(headers).toMatchObject({
      location: `/v2/app/blobs/${digestOfBytes('post then put')}`,
      'docker-content-digest': digestOfBytes('post then put'),
    })
    expect(await blobOf('post then put')).toBe('post then put')
  })

  it('a single POST', async () => {
    const digest = digestOfBytes('single')
    const answer = await registry.ask('POST', `/v2/app/blobs/uploads/?digest=${digest}`, {
      headers: octets,
      body: 'single',
    })
    expect([answer.status, answer.headers.location]).toEqual([201, `/v2/app/blobs/${digest}`])
    expect(await blobOf('single')).toBe('single')
  })

  it('streamed: one PATCH without a range, then PUT', async () => {
    const location = await begin()
    const answer = await patch(location, Readable.from([Buffer.from('str'), Buffer.from('eamed')]))
    expect([answer.status, answer.headers['range']]).toEqual([202, '0-7'])
    expect((await end(String(answer.headers.location), 'streamed')).status).toBe(201)
    expect(await blobOf('streamed')).toBe('streamed')
  })

  it('in chunks, the last one with PUT', async () => {
    const location = await begin()
    const first = await patch(location, 'chunk', { 'content-range': '0-4' })
    expect([first.status, first.headers['range']]).toEqual([202, '0-4'])
    const second = await patch(location, 'ed ', { 'content-range': '5-7' })
    expect([second.status, second.headers['range']]).toEqual([202, '0-7'])
    expect((await end(location, 'chunked up', 'up', { 'content-range': '8-9' })).status).toBe(201)
    expect(await blobOf('chunked up')).toBe('chunked up')
  })

  it('says 416 and where it is for a chunk out of order, and goes on from there', async () => {
    const location = await begin()
    await patch(location, '012', { 'content-range': '0-2' })
    const again = await patch(location, '012', { 'content-range': '0-2' })
    expect(again).toMatchObject({ status: 416, headers: { range: '0-2', location } })
    expect((await patch(location, '89', { 'content-range': '8-9' })).status).toBe(416)
    expect((await end(location, '0123', '99', { 'content-range': '7-8' })).status).toBe(416)
    expect((await end(location, '0123', '3', { 'content-range': '3-3' })).status).toBe(201)
  })

  it('tells how far an upload is', async () => {
    const location = await begin()
    await patch(location, 'abc')
    const { status, headers } = await registry.ask('GET', location)
    expect([status, headers['range'], headers.location]).toEqual([204, '0-2', location])
  })

  it('refuses a chunk that is not as long as it says', async () => {
    const location = await begin()
    expect(await patch(location, 'abc', { 'content-range': '0-4' })).toMatchObject({
      status: 400,
      codes: ['SIZE_INVALID'],
    })
    const long = await patch(location, Readable.from([Buffer.from('abcdef')]), { 'content-range': '0-4' })
    expect(long).toMatchObject({ status: 400, codes: ['SIZE_INVALID'] })
    expect(await patch(location, 'abc', { 'content-range': '4-0' })).toMatchObject({
      status: 400,
      codes: ['BLOB_UPLOAD_INVALID'],
    })
    expect((await registry.ask('GET', location)).headers['range']).toBe('0-0')
  })

  it('takes the empty blob', async () => {
    expect((await end(await begin(), '')).status).toBe(201)
    expect((await registry.ask('GET', `/v2/app/blobs/${digestOfBytes('')}`)).status).toBe(200)
  })

  it('refuses bytes of another digest, and keeps them as evidence', async () => {
    const location = await begin()
    await patch(location, 'tampered')
    const answer = await end(location, 'original')
    expect(answer).toMatchObject({ status: 400, codes: ['DIGEST_INVALID'] })
    expect(answer.json().errors[0].detail).toMatchObject({ actual: digestOfBytes('tampered') })
    const folder = join(registry.content.folder, 'corrupt/refused')
    const [kept] = readdirSync(folder).filter((name) => name.startsWith(digestOfBytes('tampered').slice(7)))
    expect(readFileSync(join(folder, kept ?? ''), 'utf8')).toBe('tampered')
    for (const text of ['tampered', 'original'])
      expect((await registry.ask('GET', `/v2/app/blobs/${digestOfBytes(text)}`)).status).toBe(404)
    expect(await registry.ask('GET', location)).toMatchObject({ status: 404, codes: ['BLOB_UPLOAD_UNKNOWN'] })
  })

  it('refuses an end without a digest, or with none that is one', async () => {
    const location = await begin()
    expect(await registry.ask('PUT', location)).toMatchObject({ status: 400, codes: ['DIGEST_INVALID'] })
    expect(await registry.ask('PUT', `${location}?digest=sha256:abc`)).toMatchObject({
      status: 400,
      codes: ['DIGEST_INVALID'],
    })
    expect(await registry.ask('POST', '/v2/app/blobs/uploads/?digest=x', { body: 'a' })).toMatchObject({
      status: 400,
    })
  })

  it('knows an upload in its repository only, and not after it was cancelled', async () => {
    const location = await begin()
    expect((await registry.ask('GET', location.replace('/app/', '/other/'))).status).toBe(404)
    expect((await registry.ask('GET', '/v2/app/blobs/uploads/..%2f..%2foci-layout')).status).toBe(404)
    expect((await registry.ask('DELETE', location)).status).toBe(204)
    expect(await patch(location, 'x')).toMatchObject({ status: 404, codes: ['BLOB_UPLOAD_UNKNOWN'] })
    expect(readdirSync(join(registry.content.folder, 'uploads'))).not.toContain(location.split('/').at(-1))
  })
})

describe('mounting a blob from another repository', () => {
  it('makes it visible without a byte sent', async () => {
    const digest = await pushBlob(registry, 'base', 'to be mounted')
    const answer = await registry.ask('POST', `/v2/app/blobs/uploads/?mount=${digest}&from=base`)
    expect([answer.status, answer.headers.location]).toEqual([201, `/v2/app/blobs/${digest}`])
    expect(await blobOf('to be mounted')).toBe('to be mounted')
  })

  it('finds it itself where no repository is named', async () => {
    const digest = await pushBlob(registry, 'base', 'anywhere')
    expect((await registry.ask('POST', `/v2/app/blobs/uploads/?mount=${digest}`)).status).toBe(201)
  })

  it('begins an upload where it is not there', async () => {
    const digest = await pushBlob(registry, 'base', 'not in other')
    for (const query of [`mount=${digest}&from=other`, `mount=${digestOfBytes('nowhere')}`]) {
      const { status, headers } = await registry.ask('POST', `/v2/app/blobs/uploads/?${query}`)
      expect([status, headers.location]).toEqual([202, expect.stringContaining('/v2/app/blobs/uploads/')])
    }
  })
})

describe('pushing manifests', () => {
  it('by tag, and again, and by digest', async () => {
    const manifest = await prepareManifest(registry, 'app', 'm')
    for (const reference of ['v1', 'v1', manifest.digest, 'v1.0']) {
      const { status, headers } = await putManifest(registry, 'app', reference, manifest)
      expect(status).toBe(201)
      expect(headers).toMatchObject({
        location: `/v2/app/manifests/${manifest.digest}`,
        'docker-content-digest': manifest.digest,
      })
    }
    expect((await registry.ask('GET', '/v2/app/manifests/v1.0')).body).toEqual(manifest.bytes)
  })

  it('refuses what leads to blobs that are not in the repository', async () => {
    const manifest = await prepareManifest(registry, 'elsewhere', 'blobs elsewhere')
    expect(await putManifest(registry, 'app', 'elsewhere', manifest)).toMatchObject({
      status: 404,
      codes: ['MANIFEST_BLOB_UNKNOWN'],
    })
    expect((await registry.ask('GET', '/v2/app/manifests/elsewhere')).status).toBe(404)
  })

  it('refuses another digest than its own, and keeps the bytes', async () => {
    const manifest = await prepareManifest(registry, 'app', 'wrong digest')
    const answer = await putManifest(registry, 'app', digestOfBytes('other'), manifest)
    expect(answer).toMatchObject({ status: 400, codes: ['DIGEST_INVALID'] })
    const names = readdirSync(join(registry.content.folder, 'corrupt/refused'))
    expect(names.some((name) => name.startsWith(manifest.digest.slice(7)))).toBe(true)
  })

  it('takes an index whose manifests are there', async () => {
    const child = await prepareManifest(registry, 'app', 'child')
    const index = {
      mediaType: mediaTypes.index,
      bytes: jsonBytes({
        schemaVersion: 2,
        mediaType: mediaTypes.index,
        manifests: [
          {
            mediaType: child.mediaType,
            digest: child.digest,
            size: child.bytes.byteLength,
            platform: { os: 'linux', architecture: 'amd64' },
          },
        ],
      }),
    }
    expect(await putManifest(registry, 'app', 'index', index)).toMatchObject({
      status: 404,
      codes: ['MANIFEST_BLOB_UNKNOWN'],
    })
    await putManifest(registry, 'app', child.digest, child)
    expect((await putManifest(registry, 'app', 'index', index)).status).toBe(201)
    const { headers, body } = await registry.ask('GET', '/v2/app/manifests/index')
    expect([headers['content-type'], body]).toEqual([mediaTypes.index, index.bytes])
  })

  it.each([
    ['no JSON', 'x', mediaTypes.manifest],
    ['a list', '[]', mediaTypes.manifest],
    ['something unknown', '{"schemaVersion":2}', 'application/x-unknown'],
    [
      'the old schema of Docker',
      '{"schemaVersion":1}',
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
    ],
    [
      'a manifest without a config',
      `{"schemaVersion":2,"mediaType":"${mediaTypes.manifest}","layers":[]}`,
      mediaTypes.manifest,
    ],
    [
      'an index sent as a manifest',
      `{"schemaVersion":2,"mediaType":"${mediaTypes.index}","manifests":[]}`,
      mediaTypes.manifest,
    ],
    ['nothing', '', mediaTypes.manifest],
  ])('refuses %s', async (_what, text, mediaType) => {
    const answer = await putManifest(registry, 'app', 'bad', { bytes: Buffer.from(text), mediaType })
    expect(answer).toMatchObject({ status: 400, codes: ['MANIFEST_INVALID'] })
  })

  it('refuses a manifest that is wrong about a size', async () => {
    const { config, layer } = await prepareManifest(registry, 'app', 'sizes')
    const bytes = jsonBytes({
      schemaVersion: 2,
      config: { mediaType: mediaTypes.config, digest: config, size: 1 },
      layers: [{ mediaType: mediaTypes.layerTar, digest: layer, size: 1 }],
    })
    expect(
      await putManifest(registry, 'app', 'sizes', { bytes, mediaType: mediaTypes.manifest }),
    ).toMatchObject({
      codes: ['MANIFEST_INVALID'],
    })
  })

  it('refuses a manifest of more than 4 MiB with 413', async () => {
    const answer = await putManifest(registry, 'app', 'large', {
      bytes: Buffer.alloc(4 * 2 ** 20 + 1, ' '),
      mediaType: mediaTypes.manifest,
    })
    expect(answer).toMatchObject({ status: 413, codes: ['SIZE_INVALID'] })
  })

  it('refuses a tag that is none', async () => {
    const manifest = await prepareManifest(registry, 'app', 'tags')
    for (const tag of ['.v1', '-v1', 'a'.repeat(129), 'a+b'])
      expect(await putManifest(registry, 'app', tag, manifest)).toMatchObject({
        status: 400,
        codes: ['TAG_INVALID'],
      })
  })
})

describe('a tag', () => {
  it('never means another manifest', async () => {
    const [one, two] = [
      await prepareManifest(registry, 'tagged', '1'),
      await prepareManifest(registry, 'tagged', '2'),
    ]
    await putManifest(registry, 'tagged', 'v1', one)
    const refused = await putManifest(registry, 'tagged', 'v1', two)
    expect(refused).toMatchObject({ status: 403, codes: ['DENIED'] })
    expect(refused.json().errors[0].message).toBe(
      `tagged:v1 is ${one.digest}; a tag never changes its meaning, so ${two.digest} needs another tag`,
    )
    expect((await registry.ask('GET', '/v2/tagged/manifests/v1')).body).toEqual(one.bytes)
    expect((await registry.ask('GET', `/v2/tagged/manifests/${two.digest}`)).status).toBe(404)
  })

  it('does not do so either after it was deleted', async () => {
    const [one, two] = [
      await prepareManifest(registry, 'forgotten', '1'),
      await prepareManifest(registry, 'forgotten', '2'),
    ]
    await putManifest(registry, 'forgotten', 'v1', one)
    expect((await registry.ask('DELETE', '/v2/forgotten/manifests/v1')).status).toBe(202)
    const refused = await putManifest(registry, 'forgotten', 'v1', two)
    expect(refused).toMatchObject({ status: 403, codes: ['DENIED'] })
    expect(refused.json().errors[0].message).toContain(`was ${one.digest} until it was deleted at`)
    expect((await putManifest(registry, 'forgotten', 'v1', one)).status).toBe(201)
  })

  it('is one manifest when many are pushed to it at once', async () => {
    const manifests = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((n) => prepareManifest(registry, 'race', String(n))),
    )
    const answers = await Promise.all(
      manifests.map((manifest) => putManifest(registry, 'race', 'v1', manifest)),
    )
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 403, 403, 403, 403, 403])
    const winner = manifests[answers.findIndex(({ status }) => status === 201)]
    expect((await registry.ask('GET', '/v2/race/manifests/v1')).body).toEqual(winner?.bytes)
  })

  it('is not taken from those of releases', async () => {
    const manifest = await prepareManifest(registry, 'app', 'reserved')
    expect(await putManifest(registry, 'app', 'release-1', manifest)).toMatchObject({
      status: 403,
      codes: ['DENIED'],
    })
    expect((await putManifest(registry, 'app', 'release-candidate', manifest)).status).toBe(201)
  })
})
