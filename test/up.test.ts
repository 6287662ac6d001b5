import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DeploymentResult, StatusResult } from '../src/engine/engine.ts'
import { type BasaltHome, freePort, openBasaltHome } from './basalt-home.fixture.ts'

const missing =
  spawnSync('buildah', ['--version']).error === undefined && existsSync('/bin/busybox')
    ? null
    : 'needs buildah and a static busybox'

/** A folder with nothing but a Dockerfile and an app, as its owner would use it. */
describe.skipIf(missing !== null)(`basalt up${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let basalt: BasaltHome
  let folder: string
  let port: number
  let socket: string
  let environment: Readonly<Record<string, string>>
  const write = (page: string, expose = `EXPOSE ${port}`) =>
    writeFileSync(
      join(folder, 'Dockerfile'),
      [
        'FROM scratch',
        'COPY busybox /bin/busybox',
        `RUN ["/bin/busybox", "sh", "-c", "mkdir /www; echo ${page} > /www/index.html"]`,
        expose,
        `CMD ["/bin/busybox", "httpd", "-f", "-p", "${port}", "-h", "/www"]`,
        '',
      ].join('\n'),
    )
  const run = (...args: readonly string[]) => basalt.run(args, { folder, environment })
  const answer = async () => (await fetch(`http://localhost:${port}/`)).text()

  beforeAll(async () => {
    basalt = openBasaltHome()
    port = await freePort()
    folder = join(basalt.project, 'My App')
    // No Engine: instances run on this machine itself.
    socket = join(basalt.project, 'docker.sock')
    environment = { BASALT_DOCKERFILE_BUILDER: 'buildah', DOCKER_HOST: `unix://${socket}` }
    mkdirSync(folder)
    copyFileSync('/bin/busybox', join(folder, 'busybox'))
  })
  afterAll(() => basalt.close(), 120_000)

  it('without a port to serve at says what to write', async () => {
    write('none', '')
    const { exitCode, stderr } = await run('up')
    expect(exitCode).not.toBe(0)
    expect(stderr).toContain(`${join(folder, 'Dockerfile')} exposes no TCP port`)
    expect(stderr).toContain('EXPOSE 8080')
  }, 60_000)

  it('tells a mistake by its line in the Dockerfile, once', async () => {
    write('none', `EXPOSE ${port}\nRUNN make`)
    const { exitCode, stderr } = await run('up')
    expect(exitCode).not.toBe(0)
    expect(stderr).toContain('error: Dockerfile:5: unknown instruction RUNN; did you mean RUN?')
  }, 60_000)

  it('builds, deploys, and tells where it serves', async () => {
    write('one')
    const { stdout, stderr, exitCode } = await run('up')
    expect({ exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stderr).toMatch(/built my-app .* [0-9a-f]{12}\n/)
    expect(stdout).toContain(`my-app@1 serving at http://localhost:${port}/`)
    expect(await answer()).toBe('one\n')
  }, 120_000)

  it('tells of a Compose file beside it, which it does not read', async () => {
    const compose = join(folder, 'compose.yaml')
    writeFileSync(compose, 'services: {}')
    expect((await run('up')).stderr).toMatch(/compose\.yaml is not read.*basalt init --from compose\.yaml/)
    rmSync(compose)
  }, 60_000)

  it('replaces it after an edit, and rolls back without a basalt.yaml', async () => {
    write('two')
    const up = JSON.parse((await run('up', '-o', 'json')).stdout) as DeploymentResult
    expect(up).toMatchObject({
      outcome: 'succeeded',
      release: { name: 'my-app@2' },
      previous: { name: 'my-app@1' },
    })
    expect(await answer()).toBe('two\n')
    const back = JSON.parse((await run('rollback', '--yes', '-o', 'json')).stdout) as DeploymentResult
    expect(back).toMatchObject({ outcome: 'succeeded', release: { name: 'my-app@1' } })
    expect(await answer()).toBe('one\n')
    const status = JSON.parse((await run('status', '-o', 'json')).stdout) as StatusResult
    expect(status.environments).toMatchObject([{ name: 'my-app/staging', state: 'serving' }])
  }, 120_000)

  it('has nothing to do where nothing changed', async () => {
    await run('up')
    const { stdout, stderr } = await run('up')
    expect(stderr).toContain('unchanged my-app')
    expect(stdout).toContain('my-app@2 already serves staging')
  }, 60_000)

  it('stays on its target when an Engine comes', async () => {
    writeFileSync(socket, '')
    const { stdout } = await run('up')
    rmSync(socket)
    expect(stdout).toContain('my-app@2 already serves staging')
  }, 60_000)

  it('leaves a folder without a Dockerfile to basalt init', async () => {
    const empty = join(basalt.project, 'empty')
    mkdirSync(empty)
    const { exitCode, stderr } = await basalt.run(['up'], { folder: empty, environment })
    expect(exitCode).not.toBe(0)
    expect(stderr).toContain('no Dockerfile here')
    expect(stderr).toContain('basalt init')
    writeFileSync(join(empty, 'docker-compose.yml'), 'services: {}')
    expect((await basalt.run(['up'], { folder: empty, environment })).stderr).toContain(
      'basalt init --from docker-compose.yml',
    )
  })
})
