import { chmodSync, truncateSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOfBytes } from '../../../core/digest.ts'
import {
  openTestRegistry,
  prepareManifest,
  pushBlob,
  putManifest,
  type TestManifest,
  type TestRegistry,
} from './registry.fixture.ts'

/* distribution-spec 1.1, "Pull", sentence by sentence. */

let registry: TestRegistry
let manifest: TestManifest
const blob = Buffer.from('0123456789')
const digest = digestOfBytes(blob)
const absent = digestOfBytes('absent')

beforeAll(async () => {
  registry = await openTestRegistry()
  manifest = await prepareManifest(registry, 'team/app', 'a')
  await putManifest(registry, 'team/app', 'v1', manifest)
  await pushBlob(registry, 'team/app', blob)
})
afterAll(() => registry.close())

describe('GET /v2/', () => {
  it('says that it is such a registry', async () => {
    const { status, headers } = await registry.ask('GET', '/v2/')
    expect(status).toBe(200)
    expect(headers['docker-distribution-api-version']).toBe('registry/2.0')
  })

  it('has no other calls', async () => {
    for (const path of ['/v2/app', '/v2/app/blobs', '/v2/app/things/x', '/v3/'])
      expect(await registry.ask('GET', path)).toMatchObject({ status: 404, codes: ['UNSUPPORTED'] })
    expect(await registry.ask('POST', '/v2/')).toMatchObject({ status: 405, codes: ['UNSUPPORTED'] })
  })
})

describe('pulling manifests', () => {
  it('gives the very bytes, by tag and by digest', async () => {
    for (const reference of ['v1', manifest.digest, manifest.digest.replace(':', '%3A')]) {
      const { status, headers, body } = await registry.ask('GET', `/v2/team/app/manifests/${reference}`)
      expect(status).toBe(200)
      expect(body).toEqual(manifest.bytes)
      expect(headers).toMatchObject({
        'content-type': manifest.mediaType,
        'docker-content-digest': manifest.digest,
        'content-length': String(manifest.bytes.byteLength),
      })
    }
  })

  it('answers HEAD with the same headers and no body', async () => {
    const { status, headers, body } = await registry.ask('HEAD', '/v2/team/app/manifests/v1')
    expect(status).toBe(200)
    expect(body.byteLength).toBe(0)
    expect(headers).toMatchObject({
      'content-type': manifest.mediaType,
      'docker-content-digest': manifest.digest,
      'content-length': String(manifest.bytes.byteLength),
    })
  })

  it('says 304 to who has it', async () => {
    const headers = { 'if-none-match': `"${manifest.digest}"` }
    expect((await registry.ask('GET', '/v2/team/app/manifests/v1', { headers })).status).toBe(304)
  })

  it('says 404 MANIFEST_UNKNOWN for what is not in the repository', async () => {
    for (const path of [
      `team/app/manifests/${absent}`,
      'team/app/manifests/v2',
      `other/manifests/${manifest.digest}`,
    ])
      expect(await registry.ask('GET', `/v2/${path}`)).toMatchObject({
        status: 404,
        codes: ['MANIFEST_UNKNOWN'],
      })
    expect((await registry.ask('HEAD', '/v2/team/app/manifests/v2')).status).toBe(404)
    expect((await registry.ask('GET', '/v2/team/app/manifests/.INVALID')).status).toBe(404)
    expect((await registry.ask('GET', `/v2/team/app/manifests/${digest}`)).status).toBe(404)
  })

  it('refuses other digests than SHA-256', async () => {
    const answer = await registry.ask('GET', `/v2/team/app/manifests/sha512:${'a'.repeat(128)}`)
    expect(answer).toMatchObject({ status: 400, codes: ['DIGEST_INVALID'] })
  })

  it('refuses names that are none', async () => {
    for (const name of ['Team/app', 'team//app', '-app', 'team/app-', '.a', `a${'/a'.repeat(200)}`])
      expect(await registry.ask('GET', `/v2/${encodeURIComponent(name)}/manifests/v1`)).toMatchObject({
        status: 400,
        codes: ['NAME_INVALID'],
      })
    expect(await registry.ask('GET', '/v2/%ff/manifests/v1')).toMatchObject({ codes: ['NAME_INVALID'] })
  })

  it('takes names whose parts are words of the protocol', async () => {
    const name = 'blobs/uploads/manifests/tags'
    const other = await prepareManifest(registry, name, 'words')
    expect((await putManifest(registry, name, 'list', other)).status).toBe(201)
    expect((await registry.ask('GET', `/v2/${name}/manifests/list`)).body).toEqual(other.bytes)
    expect((await registry.ask('GET', `/v2/${name}/tags/list`)).json()).toEqual({ name, tags: ['list'] })
  })
})

describe('pulling blobs', () => {
  const path = `/v2/team/app/blobs/${digest}`

  it('gives the bytes', async () => {
    const { status, headers, body } = await registry.ask('GET', path)
    expect(status).toBe(200)
    expect(body).toEqual(blob)
    expect(headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'docker-content-digest': digest,
      'content-length': '10',
      'accept-ranges': 'bytes',
    })
  })

  it('answers HEAD with the size and no body', async () => {
    const { status, headers, body } = await registry.ask('HEAD', path)
    expect([status, headers['content-length'], body.byteLength]).toEqual([200, '10', 0])
  })

  it.each([
    ['bytes=2-4', '234', 'bytes 2-4/10'],
    ['bytes=7-', '789', 'bytes 7-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=-30', '0123456789', 'bytes 0-9/10'],
    ['bytes=8-99', '89', 'bytes 8-9/10'],
  ])('gives the range %s', async (range, text, contentRange) => {
    const { status, headers, body } = await registry.ask('GET', path, { headers: { range } })
    expect([status, body.toString(), headers['content-range']]).toEqual([206, text, contentRange])
    expect(headers['content-length']).toBe(String(text.length))
  })

  it.each(['bytes=10-', 'bytes=-0'])('says 416 for the range %s', async (range) => {
    const { status, headers } = await registry.ask('GET', path, { headers: { range } })
    expect([status, headers['content-range']]).toEqual([416, 'bytes */10'])
  })

  it.each(['bytes=1-2,4-5', 'bytes=4-2', 'lines=1-2', 'bytes=-'])(
    'gives all for the range %s',
    async (range) => {
      const { status, body } = await registry.ask('GET', path, { headers: { range } })
      expect([status, body.toString()]).toEqual([200, '0123456789'])
    },
  )

  it('says 404 BLOB_UNKNOWN for what is not in the repository, though it is in another one', async () => {
    for (const [repository, wanted] of [
      ['team/app', absent],
      ['other', digest],
    ])
      expect(await registry.ask('GET', `/v2/${repository}/blobs/${wanted}`)).toMatchObject({
        status: 404,
        codes: ['BLOB_UNKNOWN'],
      })
    expect((await registry.ask('HEAD', `/v2/other/blobs/${digest}`)).status).toBe(404)
    expect(await registry.ask('GET', '/v2/team/app/blobs/nothing')).toMatchObject({
      codes: ['DIGEST_INVALID'],
    })
  })

  it('never gives a whole blob that went bad: it is moved aside, and a push brings it anew', async () => {
    const bytes = Buffer.alloc(700_000, 'good')
    const good = await pushBlob(registry, 'team/app', bytes)
    const file = registry.content.path(good)
    chmodSync(file, 0o644)
    writeFileSync(file, 'evil', { flag: 'r+' })
    await expect(registry.ask('GET', `/v2/team/app/blobs/${good}`)).rejects.toThrow(
      /aborted|hang up|ECONNRESET/,
    )
    expect(registry.log.join('\n')).toContain('no longer had the digest')
    expect((await registry.ask('GET', `/v2/team/app/blobs/${good}`)).status).toBe(404)
    expect((await registry.ask('HEAD', `/v2/team/app/blobs/${good}`)).status).toBe(404)
    await pushBlob(registry, 'team/app', bytes)
    expect((await registry.ask('GET', `/v2/team/app/blobs/${good}`)).body).toEqual(bytes)
    truncateSync(file, 5)
    const short = await registry.ask('GET', `/v2/team/app/blobs/${good}`)
    expect(short).toMatchObject({ status: 500, codes: ['UNKNOWN'] })
    expect(short.headers['cache-control']).toBeUndefined()
  })
})
