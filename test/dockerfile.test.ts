import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BuildResult, DeploymentResult } from '../src/engine/engine.ts'
import { type BasaltHome, freePort, openBasaltHome } from './basalt-home.fixture.ts'
import { writeTinySystem } from './tiny-system.fixture.ts'

const missing =
  spawnSync('buildah', ['--version']).error === undefined && existsSync('/bin/busybox')
    ? null
    : 'needs buildah and a static busybox'
const environment = { BASALT_DOCKERFILE_BUILDER: 'buildah' }

const dockerfile = `FROM scratch
COPY busybox /bin/busybox
ARG GREETING=hello
RUN ["/bin/busybox", "sh", "-c", "mkdir /www; echo $GREETING > /www/index.html; cp /www/index.html /www/up"]
CMD ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
`

/** From a Dockerfile to an answer, by the command line tool, as a person would. */
describe.skipIf(missing !== null)(`a Dockerfile${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let basalt: BasaltHome
  let port: number
  const system = (build: unknown) =>
    writeTinySystem(basalt.project, {
      services: { web: { build, port: '8080/tcp', expose: { tcp: port } } },
    })
  const write = (text: string) => writeFileSync(join(basalt.project, 'web/Dockerfile'), text)
  const answer = async () => (await fetch(`http://127.0.0.1:${port}/`)).text()

  beforeAll(async () => {
    basalt = openBasaltHome()
    port = await freePort()
    mkdirSync(join(basalt.project, 'web'))
    copyFileSync('/bin/busybox', join(basalt.project, 'web/busybox'))
    write(dockerfile)
  })
  afterAll(() => basalt.close(), 120_000)

  it('is built, frozen and deployed; a changed one replaces it', async () => {
    system('./web')
    const deployed = await basalt.json<DeploymentResult>(['deploy'], { environment })
    expect(deployed.outcome).toBe('succeeded')
    expect(await answer()).toBe('hello\n')

    system({ context: 'web', args: { GREETING: 'hi there' } })
    expect((await basalt.json<DeploymentResult>(['deploy'])).outcome).toBe('succeeded')
    expect(await answer()).toBe('hi there\n')
  }, 90_000)

  it('tells what built it, how far it can be made again, and what was printed', async () => {
    const built = await basalt.json<BuildResult>(['build', '--check', '--log'], { environment })
    expect(built).toMatchObject({
      created: false,
      images: [
        {
          service: 'web',
          cached: true,
          made: { program: 'buildah', grade: 'bit-reproducible' },
          output: expect.stringMatching(/^STEP 1\/5: FROM scratch\n/),
        },
      ],
    })
    const { stdout } = await basalt.run(['build', '--log', '-o', 'table'])
    expect(stdout).toMatch(/output of the build of web\nSTEP 1\/5: FROM scratch\n/)
    expect(stdout).toMatch(/BY +GRADE\n.*buildah \S+ +bit-reproducible/)
  }, 60_000)

  it('goes with its output and provenance into an exported release', async () => {
    const archive = join(basalt.folder, 'release.tar')
    await basalt.json(['release', 'export', 'tiny@1', archive])
    const text = readFileSync(archive, 'latin1')
    expect(text).toContain('STEP 1/5: FROM scratch')
    expect(text).toContain('urn:basalt:dockerfile-builder:v1')
  }, 60_000)

  it('that fails is told with both places and the last lines', async () => {
    write(dockerfile.replace('mkdir /www;', 'echo no luck; exit 3;'))
    const error = await basalt.fails(['build'])
    expect(error).toMatchObject({ code: 'build.step-failed', exitCode: 1 })
    expect(error.message).toMatch(
      /basalt\.yaml:\d+:\d+: web\/Dockerfile:4: RUN .* failed: .*exit status 3\n {4}no luck$/,
    )
    write(dockerfile.replace('ARG', 'AGR'))
    expect((await basalt.fails(['build'])).message).toMatch(
      /web\/Dockerfile:3: unknown instruction AGR; did you mean ARG\?/,
    )
  }, 60_000)
})
