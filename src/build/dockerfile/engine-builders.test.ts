import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Digest } from '../../core/ids.ts'
import { loadImage } from '../../images/image.ts'
import { createReferrers } from '../../images/referrers.ts'
import { exec } from '../../util/exec.ts'
import {
  type BuildOptions,
  type BuildWorld,
  failureOf,
  filesOf,
  openBuildWorld,
} from './build-world.fixture.ts'
import { type Dockerd, dockerdMissing, openDockerd } from './dockerd.fixture.ts'

const missing = dockerdMissing()
const unless = missing === null ? '' : ` (skipped: ${missing})`
if (missing !== null) console.warn(`builds by a Docker Engine are not tested: ${missing}`)

let dockerd: Dockerd
beforeAll(async () => {
  if (missing !== null) return
  dockerd = await openDockerd()
  await importBase('local/base', 'one')
}, 90_000)
afterAll(() => dockerd?.close())

/** An image with a shell; `mark` tells one from the next. */
async function importBase(name: string, mark: string): Promise<Digest> {
  const root = mkdtempSync(join(tmpdir(), 'basalt-base-'))
  try {
    mkdirSync(join(root, 'bin'))
    execFileSync('cp', ['/bin/busybox', join(root, 'bin/busybox')])
    for (const name of ['sh', 'cat', 'echo', 'ls', 'sleep', 'find'])
      symlinkSync('busybox', join(root, 'bin', name))
    writeFileSync(join(root, 'mark'), mark)
    const tar = execFileSync('tar', ['-C', root, '-cf', '-', '.'], { maxBuffer: 2 ** 28 })
    return (await dockerd.importImage(tar, name)) as Digest
  } finally {
    rmSync(root, { recursive: true })
  }
}

interface EngineImage {
  readonly Id: string
  readonly ParentId: string
  readonly RepoTags: readonly string[] | null
}
const images = async (all: boolean) =>
  (await dockerd.call('GET', `/images/json?all=${all ? 1 : 0}`)) as readonly EngineImage[]
const tags = async () => (await images(true)).flatMap(({ RepoTags }) => RepoTags ?? []).toSorted()

describe.skipIf(missing !== null).each(['buildkit', 'classic'] as const)(`%s${unless}`, (name) => {
  let world: BuildWorld
  beforeEach(async () => {
    world = await openBuildWorld(name, { DOCKER_HOST: `unix://${dockerd.socketPath}` })
  })
  afterEach(() => world.close())

  it('builds, keeps the image byte-exact with its provenance and log, and asks nobody when nothing changed', async () => {
    world.write({
      'web/Dockerfile':
        'FROM scratch AS first\nCOPY . /app\nFROM first\nCOPY --from=first /app/a.txt /b.txt\nCMD ["/x"]\n',
      'web/a.txt': 'a',
      'web/node_modules/big.js': 'big',
      'web/.dockerignore': 'node_modules\nDockerfile\n.dockerignore\n',
    })
    const built = await world.build()
    expect(built).toMatchObject({
      cached: false,
      made: { program: name, grade: 'inputs pinned', reasons: [] },
    })
    expect([...(await filesOf(world.store, built.image)).keys()].toSorted()).toEqual([
      'app/a.txt',
      'app/busybox',
      'b.txt',
    ])
    const { configDescriptor } = await loadImage(world.store, built.image)
    const config = JSON.parse((await world.store.read(configDescriptor.digest)).toString())
    expect(config).toMatchObject({ config: { Cmd: ['/x'] }, os: 'linux' })

    const attached = await createReferrers(world.store).of(new Set([built.image]))
    expect(new Set(attached.map(({ annotations }) => annotations?.['org.basalt.attachment']))).toEqual(
      new Set(['build-log', 'provenance']),
    )
    const log = (await world.store.read(built.made?.log as Digest)).toString()
    expect(log).toMatch(/COPY --from=first/)

    const asked = world.opened()
    expect(await world.build()).toEqual({ ...built, cached: true })
    expect(world.opened()).toBe(asked)
  })

  it('builds from the id of an image that was made on this machine, whatever its tag means later', async () => {
    const own = `local/${name}`
    const [first, second] = [await importBase(own, 'one'), await importBase(own, 'two')]
    const tagFirst = () => dockerd.call('POST', `/images/${first}/tag?repo=${own}&tag=latest`)
    await tagFirst()
    const seen = async (options?: BuildOptions) =>
      (await filesOf(world.store, (await world.build(options)).image)).get('seen')?.text
    world.write({ 'web/Dockerfile': `FROM ${own}\nRUN cat /mark > /seen\n` })
    const built = await world.build()
    expect(world.pins.get(own)).toBe(first)
    expect(built.made).toMatchObject({
      grade: 'recorded only',
      reasons: [expect.stringMatching(`only this machine has .*${own}`), expect.stringMatching(/line 2/)],
    })
    expect(await tags()).not.toContainEqual(expect.stringContaining(first.slice('sha256:'.length)))

    await dockerd.call('POST', `/images/${second}/tag?repo=${own}&tag=latest`)
    for (const more of ['a', 'b']) {
      world.write({ 'web/Dockerfile': `FROM ${own}\nRUN cat /mark > /seen\nRUN echo ${more}\n` })
      expect(await seen()).toBe('one')
    }
    expect(await seen({ update: true })).toBe('two')
    expect(world.events).toContainEqual(
      expect.objectContaining({
        code: 'build.image-pinned',
        message: `web: ${own} → ${second} (was ${first})`,
      }),
    )
  })

  it('says which step failed, where it stands and what it printed last', async () => {
    world.write({
      'web/Dockerfile':
        '# why\nARG UNUSED=1\nFROM local/base AS one\nRUN echo \\\n  # comment\n  fine\n\nFROM one\nRUN echo before && \\\n  echo last words && cat /nope\n',
    })
    const error = await failureOf(world.build())
    expect(error).toMatchObject({
      code: 'build.step-failed',
      message: expect.stringMatching(/^web\/Dockerfile:9: RUN echo before && .* failed: .*1\n {4}/),
      details: { dockerfileLine: 9 },
    })
    // Both streams of a step come in no certain order.
    expect(error.details['lastLines']).toEqual(
      expect.arrayContaining(['before', 'last words', expect.stringContaining('/nope')]),
    )
    expect(await dockerd.call('GET', '/containers/json?all=1')).toEqual([])
  })

  it('tells the line of a mistake that the Engine finds', async () => {
    world.write({ 'web/Dockerfile': 'FROM local/base\n\nCOPY a\n' })
    expect(await failureOf(world.build())).toMatchObject({
      code: 'build.dockerfile-invalid',
      message: expect.stringMatching(/^web\/Dockerfile:3: COPY requires at least two arguments/),
      details: { dockerfileLine: 3 },
    })
  })

  it('sees a change of one file of the same size, and keeps the times of a clone out of the image', async () => {
    world.write({
      'web/Dockerfile': 'FROM local/base\nCOPY src /src\n',
      'web/src/a': '1111',
      'web/src/b': 'b',
    })
    const first = await filesOf(world.store, (await world.build()).image)
    expect(first.get('src/a')).toMatchObject({ text: '1111', time: 1_750_000_000 })
    expect((first.get('src/a')?.mode ?? 0) & 0o7777).toBe(0o644)
    for (const text of ['2222', '3333', '1111']) {
      world.write({ 'web/src/a': text })
      expect((await filesOf(world.store, (await world.build()).image)).get('src/a')?.text).toBe(text)
    }
  })

  it('keeps links as they are and follows none', async () => {
    world.write({
      'web/Dockerfile': 'FROM local/base\nCOPY . /app\nRUN ls -l /app > /list\n',
      'outside.txt': 'x',
    })
    symlinkSync('../outside.txt', join(world.project, 'web/link'))
    const files = await filesOf(world.store, (await world.build()).image)
    expect(files.get('list')?.text).toMatch(/link -> \.\.\/outside\.txt/)
    expect(files.has('app/link')).toBe(false)
  })

  it('gives the arguments and the time of the commit', async () => {
    world.write({
      'web/Dockerfile':
        'FROM local/base\nARG WHO=nobody\nARG SOURCE_DATE_EPOCH\nRUN echo "$WHO $SOURCE_DATE_EPOCH" > /said\n',
    })
    const built = await world.build({ recipe: { args: { WHO: 'me & you' } } })
    expect((await filesOf(world.store, built.image)).get('said')?.text).toBe('me & you 1750000000\n')
  })

  it('grades by building again without its caches', async () => {
    world.write({ 'web/Dockerfile': 'FROM local/base\nRUN cat /proc/sys/kernel/random/uuid > /now\n' })
    const built = await world.build()
    const checked = await world.build({ check: true })
    expect(checked).toMatchObject({ image: built.image, cached: true })
    expect(checked.made?.grade).toBe('recorded only')
    expect(checked.made?.reasons[0]).toMatch(/^built twice: 1 layer differs/)
    const attached = await createReferrers(world.store).of(new Set([built.image]))
    expect(attached.map(({ annotations }) => annotations?.['org.basalt.attachment'])).toContain(
      'reproduction',
    )
  })

  it('ends when it is aborted, and leaves no container', async () => {
    world.write({ 'web/Dockerfile': 'FROM local/base\nRUN echo started; sleep 60\n' })
    const abort = new AbortController()
    const build = world.build({ signal: abort.signal })
    const isStarted = () => world.events.some(({ message }) => message.endsWith('started'))
    while (!isStarted()) await Promise.race([build, new Promise((resolve) => setTimeout(resolve, 20))])
    abort.abort()
    expect((await failureOf(build)).code).toBe('request.interrupted')
    const running = async () => (await dockerd.call('GET', '/containers/json?all=1')) as readonly unknown[]
    for (let round = 0; round < 100 && (await running()).length > 0; round++)
      await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await running()).toEqual([])
  })
})

describe.skipIf(missing !== null)(`the Engine${unless}`, () => {
  const environment = () => ({ DOCKER_HOST: `unix://${dockerd.socketPath}` })

  it('builds several recipes on one base of its own at the same time', async () => {
    const world = await openBuildWorld('buildkit', environment())
    try {
      world.write({ 'web/a': 'a' })
      const recipes = ['1', '2', '3'].map((number) => {
        world.write({
          [`web/${number}`]: `FROM local/base\nRUN sleep 0.${number}; echo ${number} > /number\n`,
        })
        return { dockerfile: number }
      })
      const built = await world.buildAll(recipes)
      const numbers = await Promise.all(
        built.map(async ({ image }) => (await filesOf(world.store, image)).get('number')),
      )
      expect(numbers.map((file) => file?.text)).toEqual(['1\n', '2\n', '3\n'])
      const id = world.pins.get('local/base')?.slice('sha256:'.length) ?? 'no id'
      expect(await tags()).not.toContain(`basalt.invalid/base:${id}`)
    } finally {
      world.close()
    }
  })

  it('has no image of ours after BuildKit, and the newest of each recipe after the classic builder', async () => {
    const before = (await images(false)).length
    const world = await openBuildWorld('buildkit', environment())
    const classic = await openBuildWorld('classic', environment())
    try {
      world.write({ 'web/Dockerfile': 'FROM local/base\nCOPY a /left-behind\n', 'web/a': 'x' })
      await world.build()
      expect(await images(false)).toHaveLength(before)
      for (const text of ['1', '2', '3']) {
        classic.write({ 'web/Dockerfile': 'FROM local/base\nCOPY a /left-behind\n', 'web/a': text })
        await classic.build()
      }
      expect(await images(false)).toHaveLength(before + 1)
    } finally {
      world.close()
      classic.close()
    }
  })

  it('gives a secret to a step of BuildKit, and it is nowhere else', async () => {
    const world = await openBuildWorld('buildkit', environment())
    const secret = 'correct-horse-battery'
    try {
      world.write({
        'web/Dockerfile':
          'FROM local/base\nCOPY . /app\nRUN --mount=type=secret,id=token cat /run/secrets/token; echo " $(cat /run/secrets/token)" | cat\n',
        'web/token.txt': secret,
      })
      const recipe = { secrets: [{ id: 'token', file: 'web/token.txt' }] }
      const built = await world.build({ recipe })
      expect(JSON.stringify(world.events)).not.toContain(secret)
      expect(JSON.stringify(world.events)).toContain('***')
      expect([...(await filesOf(world.store, built.image)).keys()]).not.toContain('app/token.txt')
      expect(filesWith(world.folder, secret)).toEqual([join(world.project, 'web/token.txt')])
      // Another one is another build.
      expect(await world.build({ recipe })).toMatchObject({ cached: true })
      world.write({ 'web/token.txt': 'something-else' })
      expect(await world.build({ recipe })).toMatchObject({ cached: false })
    } finally {
      world.close()
    }
  })

  it('is told that its classic builder has no secrets', async () => {
    const world = await openBuildWorld('classic', environment())
    try {
      world.write({ 'web/Dockerfile': 'FROM scratch\nCOPY a /a\n', 'web/a': 'x', token: 'y' })
      const error = await failureOf(world.build({ recipe: { secrets: [{ id: 'token', file: 'token' }] } }))
      expect(error.message).toMatch(/classic builder .* has no secrets/)
    } finally {
      world.close()
    }
  })

  it('leaves out the same files as for its own client', async () => {
    const ignore =
      '# comment\n**/*.log\ndocs\n!docs/keep\nsrc/*/gen?\n/top\n*.md\n!README.md\n.dockerignore\n'
    const names =
      'a.log|x/y/b.log|docs/a|docs/keep/b|src/m/gen1|src/m/gen12|top/x|sub/top|a.md|README.md|sub/c.md'
    const world = await openBuildWorld('buildkit', environment())
    try {
      world.write({ 'web/Dockerfile': 'FROM scratch\nCOPY . /all\n', 'web/.dockerignore': ignore })
      for (const name of names.split('|')) world.write({ [`web/${name}`]: name })
      const ours = [...(await filesOf(world.store, (await world.build()).image)).keys()].toSorted()
      const client = [
        '--host',
        `unix://${dockerd.socketPath}`,
        'build',
        '--quiet',
        join(world.project, 'web'),
      ]
      const { stdout, stderr } = await exec('/usr/bin/docker', client, { env: { DOCKER_BUILDKIT: '0' } })
      const id = stdout.trim()
      expect(stderr).toBe('')
      const saved = await exec(
        'sh',
        [
          '-c',
          `/usr/bin/docker --host unix://${dockerd.socketPath} save ${id} > saved.tar && mkdir x && tar -xf saved.tar -C x && cat x/*/layer.tar | tar -tf - | grep -v '/$'`,
        ],
        { cwd: world.folder },
      )
      expect(ours).toEqual(saved.stdout.trim().split('\n').toSorted())
    } finally {
      world.close()
    }
  })

  it.each(['buildkit', 'classic'] as const)(
    'pulls a base by the digest that it was pinned to, with the login that is known: %s',
    async (name) => {
      const registry = await dockerd.startRegistry({ htpasswd })
      const world = await openBuildWorld(name, environment())
      const repository = `${registry.host}/pulled-${name}`
      try {
        await dockerd.call('POST', `/images/local/base:latest/tag?repo=${repository}&tag=1`)
        const login = { username: 'ada', password: 'lovelace' }
        const digest = await dockerd.push(repository, '1', login)
        await dockerd.call('DELETE', `/images/${repository}:1`)
        world.write({ 'web/Dockerfile': `FROM ${repository}:1\nRUN cat /mark > /seen\n` })
        const resolveImage = async () => digest as Digest
        expect((await failureOf(world.build({ resolveImage }))).message).toMatch(/401|auth|credentials/i)

        const findLogin = async (asked: string) =>
          asked === registry.host ? { user: login.username, secret: login.password } : null
        const built = await world.build({ resolveImage, findLogin })
        expect((await filesOf(world.store, built.image)).get('seen')?.text).toBe('one')
        expect(built.made?.grade).toBe('inputs pinned')
        expect(world.pins.get(`${repository}:1`)).toBe(digest)
      } finally {
        world.close()
        await registry.close()
      }
    },
  )
})

/** Of ada, whose password is lovelace. */
const htpasswd = 'ada:$2y$04$uMTYPV2gWcd55hxBDPv2YOfirUcvnR/cjSd/W5rULZQQ0WTd2JNYq\n'

describe('an Engine that cannot be used', () => {
  let world: BuildWorld
  afterEach(() => world.close())
  const socket = () => join(world.folder, 'docker.sock')
  const build = async (environment: Record<string, string>) => {
    world = await openBuildWorld('classic', environment)
    world.write({ 'web/Dockerfile': 'FROM scratch\nCOPY busybox /b\n' })
    return failureOf(world.build())
  }

  it('is not there', async () => {
    const error = await build({ DOCKER_HOST: 'unix:///nonexistent/docker.sock' })
    expect(error).toMatchObject({
      code: 'docker.unreachable',
      message: expect.stringMatching(/^no Docker Engine answers at \/nonexistent\/docker\.sock: /),
      remedy: expect.stringMatching(/systemctl start docker/),
    })
  })

  it('has an address that is not understood', async () => {
    expect((await build({ DOCKER_HOST: 'ssh://me@there' })).message).toMatch(
      /ssh:\/\/me@there cannot be used/,
    )
  })

  it('is too old', async () => {
    world = await openBuildWorld('classic', {})
    const old = createServer((connection) => {
      const body = JSON.stringify({ Version: '1.13.1', ApiVersion: '1.26' })
      connection.end(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    })
    const path = socket()
    await new Promise<void>((resolve) => old.listen(path, resolve))
    try {
      const { folder } = world
      const error = await build({ DOCKER_HOST: `unix://${path}` })
      rmSync(folder, { recursive: true })
      expect(error).toMatchObject({
        code: 'docker.too-old',
        message: 'Docker Engine 1.13.1 speaks API 1.26; Basalt needs 1.41',
      })
    } finally {
      old.close()
    }
  })
})

/** Paths below a folder whose bytes contain a text. */
function filesWith(folder: string, text: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text))
}
