import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAccessTokens } from './access-token.ts'
import {
  basic,
  openTestRegistry,
  prepareManifest,
  putManifest,
  type TestManifest,
  type TestRegistry,
} from './registry.fixture.ts'
import type { Scope } from './scope.ts'

/* The distribution project's "Token Authentication". */

let registry: TestRegistry
let manifest: TestManifest
const image = '/v2/team/app/manifests/v1'

beforeAll(async () => {
  registry = await openTestRegistry()
  manifest = await prepareManifest(registry, 'team/app', 'x')
  await putManifest(registry, 'team/app', 'v1', manifest)
})
afterAll(() => registry.close())

/** What a client does: follows the challenge with what it has; null: with nothing. */
async function tokenFor(scope: string, as: Scope | null): Promise<string> {
  const { status, json } = await registry.ask(
    'GET',
    `/token?service=basalt-registry&scope=${encodeURIComponent(scope)}`,
    { as },
  )
  expect(status).toBe(200)
  const { token, access_token, expires_in } = json()
  expect([access_token, expires_in]).toEqual([token, 600])
  return token
}
const bearer = (token: string) => ({ as: null, headers: { authorization: `Bearer ${token}` } })

describe('who says nothing', () => {
  it('is told where a token is given, so that clients log in before they push', async () => {
    const answer = await registry.ask('GET', '/v2/', { as: null })
    expect(answer).toMatchObject({ status: 401, codes: ['UNAUTHORIZED'] })
    expect(answer.headers['www-authenticate']).toBe(
      `Bearer realm="${registry.url}/token",service="basalt-registry"`,
    )
  })

  it('may pull from this machine', async () => {
    expect((await registry.ask('GET', image, { as: null })).status).toBe(200)
    expect(
      (await registry.ask('GET', image, bearer(await tokenFor('repository:team/app:pull', null)))).status,
    ).toBe(200)
  })

  it('may not push, delete, or list repositories', async () => {
    const push = await registry.ask('POST', '/v2/team/app/blobs/uploads/', { as: null })
    expect(push).toMatchObject({ status: 401, codes: ['UNAUTHORIZED'] })
    expect(push.headers['www-authenticate']).toContain('scope="repository:team/app:pull,push"')
    const token = await tokenFor('repository:team/app:pull,push,delete', null)
    for (const [method, path] of [
      ['POST', '/v2/team/app/blobs/uploads/'],
      ['PUT', image],
      ['DELETE', image],
    ] as const) {
      const answer = await registry.ask(method, path, bearer(token))
      expect(answer).toMatchObject({ status: 401, codes: ['UNAUTHORIZED'] })
      expect(answer.headers['www-authenticate']).toContain('error="insufficient_scope"')
    }
    expect((await registry.ask('GET', '/v2/_catalog', { as: null })).status).toBe(401)
  })

  it('may not pull by another name than this machine’s own, nor through a proxy', async () => {
    for (const headers of [
      { host: 'evil.example' },
      { host: '10.0.0.1:5000' },
      { 'x-forwarded-for': '10.0.0.1' },
    ])
      expect((await registry.ask('GET', image, { as: null, headers })).status).toBe(401)
    expect((await registry.ask('GET', image, { as: null, headers: { host: 'localhost:5000' } })).status).toBe(
      200,
    )
    const token = await tokenFor('repository:team/app:pull', null)
    const headers = { authorization: `Bearer ${token}`, host: 'evil.example' }
    expect((await registry.ask('GET', image, { as: null, headers })).status).toBe(401)
  })

  it('does not put what it says of itself into our headers', async () => {
    const headers = { host: 'a"b' }
    const answer = await registry.ask('GET', '/v2/', { as: null, headers })
    expect(answer.headers['www-authenticate'] ?? '').not.toContain('a"b')
  })
})

describe('who has a token', () => {
  it.each([
    ['pull', [200, 401, 401]],
    ['push', [200, 202, 401]],
    ['delete', [200, 202, 404]],
  ] as const)('of the scope %s may do that', async (scope, statuses) => {
    const token = await tokenFor('repository:team/app:pull,push,delete', scope)
    const answers = [
      await registry.ask('GET', image, bearer(token)),
      await registry.ask('POST', '/v2/team/app/blobs/uploads/', bearer(token)),
      await registry.ask('DELETE', '/v2/team/app/manifests/none', bearer(token)),
    ]
    expect(answers.map(({ status }) => (status === 403 ? 401 : status))).toEqual(statuses)
    const direct = await registry.ask('POST', '/v2/team/app/blobs/uploads/', { as: scope })
    expect(direct.status).toBe(scope === 'pull' ? 403 : 202)
  })

  it('is told what is missing', async () => {
    const answer = await registry.ask('POST', '/v2/team/app/blobs/uploads/', { as: 'pull' })
    expect(answer).toMatchObject({ status: 403, codes: ['DENIED'] })
    expect(answer.json().errors[0].message).toBe(
      'the token pull has the scope pull, which does not allow to push. Get one with more rights: basalt registry grant <name> --scope push',
    )
  })

  it('gets an access token for what was asked for only', async () => {
    const token = await tokenFor('repository:other:pull,push', 'push')
    const answer = await registry.ask('GET', image, bearer(token))
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toContain('error="insufficient_scope"')
    expect((await registry.ask('GET', '/v2/', bearer(token))).status).toBe(200)
  })

  it('may list repositories', async () => {
    const token = await tokenFor('registry:catalog:*', 'pull')
    expect((await registry.ask('GET', '/v2/_catalog', bearer(token))).status).toBe(200)
  })

  it('may ask for several things at once, and by POST', async () => {
    const body = new URLSearchParams({
      grant_type: 'password',
      username: 'push',
      password: registry.secrets.push,
      service: 'basalt-registry',
      scope: 'repository:team/app:pull repository:other:pull,push',
    }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const { status, json } = await registry.ask('POST', '/token', { as: null, headers, body })
    expect(status).toBe(200)
    expect((await registry.ask('GET', image, bearer(json().access_token))).status).toBe(200)
    expect((await registry.ask('POST', '/v2/other/blobs/uploads/', bearer(json().access_token))).status).toBe(
      202,
    )
    const wrong = await registry.ask('POST', '/token', {
      as: null,
      headers,
      body: body.replace('password=', 'password=x'),
    })
    expect(wrong.status).toBe(401)
  })

  it('is refused with a wrong one', async () => {
    for (const authorization of [
      basic('push', 'wrong'),
      basic('nobody', registry.secrets.push),
      'Basic x',
      'Bearer x.y.z',
    ]) {
      const answer = await registry.ask('GET', image, { as: null, headers: { authorization } })
      expect(answer).toMatchObject({ status: 401, codes: ['UNAUTHORIZED'] })
    }
    const headers = { authorization: basic('push', 'wrong') }
    expect(
      (await registry.ask('GET', '/token?scope=repository:team/app:pull', { as: null, headers })).status,
    ).toBe(401)
  })

  it('loses everything when it is revoked, also what was signed before', async () => {
    const { secret } = await registry.registry.grant({ name: 'ci', scope: 'push', createdBy: 'ada' })
    await expect(
      registry.registry.grant({ name: 'ci', scope: 'pull', createdBy: 'ada' }),
    ).rejects.toMatchObject({ code: 'registry.token-exists' })
    const headers = { authorization: basic('ci', secret) }
    const { json } = await registry.ask('GET', '/token?scope=repository:team/app:pull', { as: null, headers })
    const signed = bearer(json().token)
    expect((await registry.ask('GET', image, signed)).status).toBe(200)
    await registry.registry.revoke('ci')
    expect((await registry.ask('GET', image, signed)).status).toBe(401)
    expect((await registry.ask('GET', image, { as: null, headers })).status).toBe(401)
    const again = await registry.registry.grant({ name: 'ci', scope: 'pull', createdBy: 'ada' })
    expect(again.secret).not.toBe(secret)
    expect((await registry.ask('GET', image, signed)).status).toBe(401)
    await expect(registry.registry.revoke('nobody')).rejects.toMatchObject({ code: 'registry.token-unknown' })
  })

  it('has an access token that ends, and that a restart does not end', async () => {
    const token = await tokenFor('repository:team/app:pull', 'pull')
    await registry.restart()
    expect((await registry.ask('GET', image, bearer(token))).status).toBe(200)
    registry.clock.now += 601_000
    expect((await registry.ask('GET', image, bearer(token))).status).toBe(401)
  })
})

describe('the log', () => {
  it('has who pushed and deleted what', async () => {
    await putManifest(registry, 'team/app', 'logged', manifest)
    await registry.ask('DELETE', '/v2/team/app/manifests/logged')
    const change = { kind: 'manifest', repository: 'team/app', reference: 'logged' }
    expect(registry.log.map((line) => JSON.parse(line))).toEqual(
      expect.arrayContaining([
        { message: 'registry: PUT', ...change, user: 'push' },
        { message: 'registry: DELETE', ...change, user: 'delete' },
      ]),
    )
  })
})

describe('what is signed', () => {
  const key = Buffer.alloc(32, 1)
  const now = () => 1_000_000
  const claims = { credential: 'a', access: [] }

  it('cannot be changed, made with another key, or without one', () => {
    const tokens = createAccessTokens(key, now)
    const token = tokens.issue(claims)
    expect(tokens.read(token)).toEqual(claims)
    const [head, body = '', signature] = token.split('.')
    const other = Buffer.from(
      Buffer.from(body, 'base64url').toString().replace('"sub":"a"', '"sub":"b"'),
    ).toString('base64url')
    const unsigned = Buffer.from(JSON.stringify({ typ: 'JWT', alg: 'none' })).toString('base64url')
    for (const forged of [
      `${head}.${other}.${signature}`,
      `${unsigned}.${body}.`,
      `${unsigned}.${body}.${signature}`,
      `${token}.x`,
      '',
      createAccessTokens(Buffer.alloc(32, 2), now).issue(claims),
    ])
      expect(tokens.read(forged)).toBeNull()
  })
})

describe('on the disk', () => {
  it('secrets are hashes, and files are the owner’s alone', () => {
    for (const name of ['credentials.json', 'token.key', 'settings.json', 'catalogue.db']) {
      const file = join(registry.folder, 'registry', name)
      expect(statSync(file).mode & 0o777, name).toBe(0o600)
      expect(readFileSync(file, 'latin1')).not.toContain(registry.secrets.push)
    }
    expect(statSync(join(registry.folder, 'registry')).mode & 0o777).toBe(0o700)
  })
})

describe('a registry that lets nobody pull without a token', () => {
  it('says so, also where tokens are given', async () => {
    const closed = await openTestRegistry({ anonymousPull: false })
    try {
      expect((await closed.ask('GET', image, { as: null })).status).toBe(401)
      const answer = await closed.ask('GET', '/token?scope=repository:team/app:pull', { as: null })
      expect(answer).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Basic realm="basalt"' } })
    } finally {
      await closed.close()
    }
  })
})
