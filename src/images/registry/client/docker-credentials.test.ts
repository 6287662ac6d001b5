import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exec } from '../../../util/exec.ts'
import { type Credentials, createDockerCredentials } from './docker-credentials.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'basalt-docker-config-'))
  mkdirSync(join(folder, 'bin'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const find = (registry: string, config?: unknown): Promise<Credentials | null> => {
  const file = join(folder, 'config.json')
  if (config !== undefined) writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config))
  const path = `${folder}/bin:${process.env['PATH']}`
  return createDockerCredentials(file, (program, args, options) =>
    exec(program, args, { ...options, env: { PATH: path } }),
  ).find(registry, new AbortController().signal)
}
const helper = (name: string, script: string): void =>
  writeFileSync(join(folder, `bin/docker-credential-${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 })

const auth = Buffer.from('ada:love:lace\0\0').toString('base64')
const ada = { kind: 'password', user: 'ada', password: 'love:lace' }

describe("Docker's credentials", () => {
  it.each([
    ['docker.io', { auths: { 'https://index.docker.io/v1/': { auth } } }],
    ['docker.io', { auths: { 'index.docker.io': { auth } } }],
    ['r.example.com', { auths: { 'R.example.com': { auth } } }],
    ['r.example.com:5000', { auths: { 'http://r.example.com:5000/v2': { auth } } }],
    ['r.example.com', { auths: { 'r.example.com': { username: 'ada', password: 'love:lace' } } }],
  ])('of %s are found in %j', async (registry, config) => {
    expect(await find(registry, config)).toEqual(ada)
  })

  it.each([
    ['no file', undefined],
    ['an empty one', {}],
    ['another port', { auths: { 'r.example.com:1': { auth } } }],
    ['another host', { auths: { 'evil-r.example.com': { auth } } }],
    ['nothing in it', { auths: { 'r.example.com': {} } }],
  ])('are none with %s', async (_, config) => {
    expect(await find('r.example.com', config)).toBeNull()
  })

  it('tokens go before passwords', async () => {
    const entry = { auth, identitytoken: 'i', registrytoken: 'r' }
    expect(await find('r', { auths: { r: entry } })).toEqual({ kind: 'identity', token: 'i' })
    expect(await find('r', { auths: { r: { ...entry, identitytoken: '' } } })).toEqual({
      kind: 'bearer',
      token: 'r',
    })
  })

  it('a helper is asked by what `docker login` calls the registry', async () => {
    helper('echo', 'read s; echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"$1 $s\\"}"')
    const token = (secret: string) => ({ kind: 'identity', token: secret })
    expect(await find('docker.io', { credsStore: 'echo' })).toEqual(token('get https://index.docker.io/v1/'))
    expect(await find('r', { credHelpers: { r: 'echo' }, auths: { r: { auth } } })).toEqual(token('get r'))
  })

  it('a helper that knows none leaves it to the file', async () => {
    helper('empty', 'echo "credentials not found in native keychain"; exit 1')
    expect(await find('r', { credsStore: 'empty', auths: { r: { auth } } })).toEqual(ada)
    expect(await find('r', { credsStore: 'empty' })).toBeNull()
  })

  it.each([
    [
      'a helper that fails',
      { credsStore: 'bad' },
      /docker-credential-bad gave no credentials for r: locked$/,
    ],
    ['a helper that says nothing', { credsStore: 'silent' }, /but something else$/],
    ['a name that is a path', { credsStore: '../../bin/sh' }, /must be the end of a program name/],
    [
      'no JSON',
      '{"auths": {"r": {"auth": "c2VjcmV0',
      /config\.json is not a configuration of Docker: it is not JSON$/,
    ],
    ['an auth without a colon', { auths: { r: { auth: 'c2VjcmV0' } } }, /no user and password for r$/],
  ])('%s is an error without a secret in it', async (_, config, message) => {
    helper('bad', 'echo "locked" >&2; exit 1')
    helper('silent', 'echo "c2VjcmV0"')
    const error = await find('r', config).catch((cause: unknown) => cause)
    expect(error).toMatchObject({
      code: 'registry.credentials-unusable',
      message: expect.stringMatching(message),
      remedy: expect.stringContaining('docker login'),
    })
    expect(JSON.stringify([error, (error as Error).message])).not.toMatch(/c2VjcmV0|secret/)
  })

  it('a helper that is not installed is named', async () => {
    await expect(find('r', { credsStore: 'nowhere' })).rejects.toMatchObject({ code: 'host.tool-missing' })
  })
})
