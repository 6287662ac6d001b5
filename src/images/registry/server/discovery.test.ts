import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOfBytes } from '../../../core/digest.ts'
import { mediaTypes } from '../../descriptor.ts'
import {
  jsonBytes,
  openTestRegistry,
  prepareManifest,
  pushBlob,
  putManifest,
  type TestManifest,
  type TestRegistry,
} from './registry.fixture.ts'

/* distribution-spec 1.1, "Content Discovery" and "Content Management". */

let registry: TestRegistry
beforeAll(async () => {
  registry = await openTestRegistry()
})
afterAll(() => registry.close())

describe('listing tags', () => {
  const list = async (query = '') => {
    const { status, headers, json } = await registry.ask('GET', `/v2/tags/tags/list${query}`)
    expect(status).toBe(200)
    return { tags: json().tags as string[], link: headers.link as string | undefined }
  }

  beforeAll(async () => {
    const manifest = await prepareManifest(registry, 'tags', 'tagged')
    for (const tag of ['v2', 'A', 'b', 'v10', 'a', '1.0', '_x'])
      await putManifest(registry, 'tags', tag, manifest)
  })

  it('is in lexical order', async () => {
    expect(await list()).toEqual({ tags: ['1.0', '_x', 'A', 'a', 'b', 'v10', 'v2'], link: undefined })
  })

  it('gives n of them, those after last, and where to go on', async () => {
    expect(await list('?n=2')).toEqual({
      tags: ['1.0', '_x'],
      link: '</v2/tags/tags/list?n=2&last=_x>; rel="next"',
    })
    expect(await list('?n=2&last=_x')).toMatchObject({ tags: ['A', 'a'] })
    expect(await list('?n=9&last=b')).toEqual({ tags: ['v10', 'v2'], link: undefined })
    expect(await list('?n=2&last=v10')).toEqual({ tags: ['v2'], link: undefined })
    expect(await list('?last=aaa')).toMatchObject({ tags: ['b', 'v10', 'v2'] })
    expect(await list('?n=0')).toEqual({ tags: [], link: undefined })
  })

  it('leads through all of them by its links', async () => {
    const seen: string[] = []
    for (let path: string | undefined = '/v2/tags/tags/list?n=3'; path !== undefined; ) {
      const { headers, json } = await registry.ask('GET', path)
      seen.push(...json().tags)
      path = /<([^>]+)>/.exec(String(headers.link ?? ''))?.[1]
    }
    expect(seen).toEqual((await list()).tags)
  })

  it('refuses an n that is no number', async () => {
    expect(await registry.ask('GET', '/v2/tags/tags/list?n=-1')).toMatchObject({
      status: 400,
      codes: ['PAGINATION_NUMBER_INVALID'],
    })
  })

  it('says 404 NAME_UNKNOWN for a repository that is not there', async () => {
    expect(await registry.ask('GET', '/v2/nothing/tags/list')).toMatchObject({
      status: 404,
      codes: ['NAME_UNKNOWN'],
    })
  })

  it('lists repositories', async () => {
    const { json } = await registry.ask('GET', '/v2/_catalog')
    expect(json().repositories).toContain('tags')
  })
})

describe('listing referrers', () => {
  let subject: TestManifest
  const referrer = async (text: string, members: Readonly<Record<string, unknown>>) => {
    const manifest = await prepareManifest(registry, 'ref', text, {
      subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.bytes.byteLength },
      ...members,
    })
    return { manifest, answer: await putManifest(registry, 'ref', manifest.digest, manifest) }
  }
  const list = async (query = '') => {
    const answer = await registry.ask('GET', `/v2/ref/referrers/${subject.digest}${query}`)
    expect([answer.status, answer.headers['content-type']]).toEqual([200, mediaTypes.index])
    const document = answer.json()
    expect(document).toMatchObject({ schemaVersion: 2, mediaType: mediaTypes.index })
    return {
      manifests: document.manifests,
      headers: answer.headers,
    }
  }

  beforeAll(async () => {
    subject = await prepareManifest(registry, 'ref', 'subject')
  })

  it('is empty where there are none, also for a manifest that is not there', async () => {
    expect((await list()).manifests).toEqual([])
  })

  it('lists what names a subject, pushed before it, with its type and annotations', async () => {
    const sbom = await referrer('sbom', { artifactType: 'application/x-sbom', annotations: { by: 'us' } })
    expect(sbom.answer).toMatchObject({ status: 201, headers: { 'oci-subject': subject.digest } })
    const old = await referrer('old', {})
    const signature = await referrer('signature', { artifactType: 'application/x-signature' })
    await putManifest(registry, 'ref', 'v1', subject)
    const { manifests, headers } = await list()
    expect(headers['oci-filters-applied']).toBeUndefined()
    expect(manifests.map(({ digest }) => digest)).toEqual(
      [sbom, old, signature].map(({ manifest }) => manifest.digest).sort(),
    )
    expect(manifests).toContainEqual({
      mediaType: mediaTypes.manifest,
      digest: sbom.manifest.digest,
      size: sbom.manifest.bytes.byteLength,
      artifactType: 'application/x-sbom',
      annotations: { by: 'us' },
    })
    // Without an artifactType it is known by the media type of its config.
    expect(manifests.find(({ digest }) => digest === old.manifest.digest)?.artifactType).toBe(
      mediaTypes.config,
    )
  })

  it('lists those of one type only where that is asked for, and says so', async () => {
    const { manifests, headers } = await list('?artifactType=application/x-sbom')
    expect(manifests.map(({ artifactType }) => artifactType)).toEqual(['application/x-sbom'])
    expect(headers['oci-filters-applied']).toBe('artifactType')
    expect((await list('?artifactType=application/x-none')).manifests).toEqual([])
  })

  it('lists an index that has a subject', async () => {
    const index = {
      mediaType: mediaTypes.index,
      bytes: jsonBytes({
        schemaVersion: 2,
        mediaType: mediaTypes.index,
        artifactType: 'application/x-bundle',
        manifests: [],
        subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.bytes.byteLength },
      }),
    }
    const { headers } = await putManifest(registry, 'ref', 'bundle', index)
    expect(headers['oci-subject']).toBe(subject.digest)
    const { manifests } = await list('?artifactType=application/x-bundle')
    expect(manifests.map(({ digest }) => digest)).toEqual([digestOfBytes(index.bytes)])
  })

  it('forgets what was deleted', async () => {
    const { manifest } = await referrer('gone', { artifactType: 'application/x-gone' })
    await registry.ask('DELETE', `/v2/ref/manifests/${manifest.digest}`)
    expect((await list('?artifactType=application/x-gone')).manifests).toEqual([])
  })

  it('refuses what is no digest', async () => {
    expect(await registry.ask('GET', '/v2/ref/referrers/v1')).toMatchObject({
      status: 400,
      codes: ['DIGEST_INVALID'],
    })
  })
})

describe('deleting', () => {
  it('takes a tag, and leaves its manifest', async () => {
    const manifest = await prepareManifest(registry, 'del', 'tag')
    await putManifest(registry, 'del', 'v1', manifest)
    expect((await registry.ask('DELETE', '/v2/del/manifests/v1')).status).toBe(202)
    expect((await registry.ask('GET', '/v2/del/manifests/v1')).status).toBe(404)
    expect((await registry.ask('GET', `/v2/del/manifests/${manifest.digest}`)).status).toBe(200)
    expect(await registry.ask('DELETE', '/v2/del/manifests/v1')).toMatchObject({
      status: 404,
      codes: ['MANIFEST_UNKNOWN'],
    })
  })

  it('takes a manifest with its tags, then its blobs, of that repository only', async () => {
    const manifest = await prepareManifest(registry, 'del', 'all')
    await putManifest(registry, 'del', 'all', manifest)
    await prepareManifest(registry, 'keep', 'all')
    await putManifest(registry, 'keep', 'all', manifest)
    const early = await registry.ask('DELETE', `/v2/del/blobs/${manifest.layer}`)
    expect(early).toMatchObject({ status: 403, codes: ['DENIED'] })
    expect(early.json().errors[0].message).toContain(`its manifest ${manifest.digest} needs it`)
    expect((await registry.ask('DELETE', `/v2/del/manifests/${manifest.digest}`)).status).toBe(202)
    for (const reference of ['all', manifest.digest])
      expect((await registry.ask('GET', `/v2/del/manifests/${reference}`)).status).toBe(404)
    expect((await registry.ask('DELETE', `/v2/del/blobs/${manifest.layer}`)).status).toBe(202)
    expect((await registry.ask('HEAD', `/v2/del/blobs/${manifest.layer}`)).status).toBe(404)
    expect((await registry.ask('GET', '/v2/keep/manifests/all')).body).toEqual(manifest.bytes)
    expect((await registry.ask('HEAD', `/v2/keep/blobs/${manifest.layer}`)).status).toBe(200)
  })

  it('refuses a manifest that an index leads to', async () => {
    const child = await prepareManifest(registry, 'del', 'child')
    await putManifest(registry, 'del', child.digest, child)
    const bytes = jsonBytes({
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [{ mediaType: child.mediaType, digest: child.digest, size: child.bytes.byteLength }],
    })
    await putManifest(registry, 'del', 'index', { bytes, mediaType: mediaTypes.index })
    expect((await registry.ask('DELETE', `/v2/del/manifests/${child.digest}`)).status).toBe(403)
    expect((await registry.ask('DELETE', `/v2/del/manifests/${digestOfBytes(bytes)}`)).status).toBe(202)
    expect((await registry.ask('DELETE', `/v2/del/manifests/${child.digest}`)).status).toBe(202)
  })

  it('says 404 for what is not there', async () => {
    const absent = digestOfBytes('absent')
    expect(await registry.ask('DELETE', `/v2/del/manifests/${absent}`)).toMatchObject({
      status: 404,
      codes: ['MANIFEST_UNKNOWN'],
    })
    expect(await registry.ask('DELETE', `/v2/del/blobs/${absent}`)).toMatchObject({
      status: 404,
      codes: ['BLOB_UNKNOWN'],
    })
  })

  it('leaves a blob that was pushed and not used', async () => {
    const digest = await pushBlob(registry, 'del', 'unused')
    expect((await registry.ask('DELETE', `/v2/del/blobs/${digest}`)).status).toBe(202)
    expect((await registry.ask('GET', `/v2/del/blobs/${digest}`)).status).toBe(404)
  })
})
