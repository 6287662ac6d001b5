import { chmodSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { canonicalJson } from '../../core/digest.ts'
import type { Digest } from '../../core/ids.ts'
import { BasaltError } from '../../errors.ts'
import { storeImage, tarOf } from '../../images/image.fixture.ts'
import { openContentStore } from '../../images/oci-layout-store.ts'
import { exec } from '../../util/exec.ts'
import { writeTar } from '../../util/tar-writer.ts'
import type { Backend, BackendWork, LocalImage } from './backend.ts'
import { type BuildWorld, failureOf, openBuildWorld } from './build-world.fixture.ts'
import { contextMembers } from './context/build-context.ts'

let world: BuildWorld
let works: BackendWork[]
beforeEach(async () => {
  world = await openBuildWorld('buildah')
  works = []
  world.write({ 'web/Dockerfile': 'FROM scratch\nCOPY . /\n', 'web/a': 'a' })
})
afterEach(() => world.close())

/** A builder whose image is the context as one layer: as real as it can be without running anything. */
function backend(
  options: { architecture?: string; id?: Digest; local?: LocalImage; noise?: boolean } = {},
): Backend {
  return {
    name: 'buildah',
    version: '1',
    findLocal: async () => options.local ?? null,
    async build(work) {
      works.push(work)
      const layout = join(world.folder, `layout-${works.length}`)
      const store = await openContentStore(layout)
      const chunks: Buffer[] = []
      for await (const chunk of writeTar(contextMembers(work.files, work.sourceTime)))
        chunks.push(Buffer.from(chunk))
      const noise =
        options.noise === true ? [await tarOf([{ name: 'now', content: String(works.length) }])] : []
      const manifest = await storeImage(store, {
        layers: [Buffer.concat(chunks), ...noise],
        ...(options.architecture === undefined ? {} : { architecture: options.architecture }),
      })
      writeFileSync(join(layout, 'index.json'), canonicalJson({ schemaVersion: 2, manifests: [manifest] }))
      const { stdout } = await exec('sh', ['-c', 'tar -C "$0" -cf - . | base64 -w0', layout])
      work.log.write('made it\n')
      return {
        id: options.id ?? manifest.digest,
        archive: async () => Readable.from([Buffer.from(stdout, 'base64')]),
        tidy: async () => null,
      }
    },
  }
}

const build = (options: Parameters<BuildWorld['build']>[0] = {}) =>
  world.build({ backend: backend(), ...options })
interface Change {
  readonly write?: Readonly<Record<string, string>>
  readonly settle?: readonly string[]
  readonly execute?: string
  readonly options?: Parameters<BuildWorld['build']>[0]
}

describe('what decides whether a build is needed', () => {
  it.each<[string, Change, boolean]>([
    ['nothing', {}, true],
    ['times of files', { settle: ['web/a', 'web/Dockerfile'] }, true],
    ['a file', { write: { 'web/a': 'b' } }, false],
    ['a new file', { write: { 'web/b': 'b' } }, false],
    ['an x bit', { execute: 'web/a' }, false],
    ['a file that is ignored', { write: { 'web/.git/x': 'b' } }, true],
    ['what is ignored', { options: { recipe: { ignore: ['a'] } } }, false],
    ['the Dockerfile', { write: { 'web/Dockerfile': 'FROM scratch\nCOPY a /\n' } }, false],
    ['arguments', { options: { recipe: { args: { A: '1' } } } }, false],
    ['a file outside', { write: { 'other/a': 'b' } }, true],
  ])('%s', async (_, { write = {}, settle = [], execute, options = {} }, cached) => {
    const first = await build()
    world.write(write)
    // Older than what is distrusted because it was just written.
    for (const path of settle) utimesSync(join(world.project, path), 1_700_000_000, 1_700_000_000)
    if (execute !== undefined) chmodSync(join(world.project, execute), 0o755)
    const again = await build(options)
    expect(again.cached).toBe(cached)
    expect(again.image === first.image || !cached).toBe(true)
    expect(await build(options)).toMatchObject({ image: again.image, cached: true })
  })

  it('an image that is gone from the store', async () => {
    const first = await build()
    rmSync(world.store.path(first.image))
    expect(await build()).toMatchObject({ image: first.image, cached: false })
  })

  it('is asked once for two services of one recipe', async () => {
    expect((await Promise.all([build(), build()])).map(({ image }) => image)).toHaveLength(2)
  })
})

describe('base images', () => {
  const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}`

  it('are resolved once, and pinned', async () => {
    let asked = 0
    const resolveImage = async () => {
      asked++
      return digest('a')
    }
    world.write({ 'web/Dockerfile': 'FROM node:1 AS x\nFROM node:1\nCOPY --from=x /a /b\n' })
    await build({ resolveImage })
    await build({ resolveImage })
    expect(asked).toBe(1)
    expect([...world.pins]).toEqual([['node:1', digest('a')]])
    expect(works.at(-1)?.bases.map(({ digest: pinned, onlyHere }) => [pinned, onlyHere])).toEqual([
      [digest('a'), false],
      [digest('a'), false],
    ])
    expect(await build({ resolveImage: async () => digest('b'), update: true })).toMatchObject({
      cached: false,
    })
    expect(world.pins.get('node:1')).toBe(digest('b'))
  })

  it('that are written by digest are not asked for', async () => {
    world.write({ 'web/Dockerfile': `FROM node:1@${digest('c')}\n` })
    await build({ resolveImage: () => Promise.reject(new Error('asked')) })
    expect(world.pins.size).toBe(0)
    expect(works[0]?.bases[0]?.digest).toBe(digest('c'))
  })

  it('that an Engine has from a registry count where no registry answers', async () => {
    world.write({ 'web/Dockerfile': 'FROM node:1\n' })
    const local = { id: digest('d'), repoDigests: [`other/node@${digest('f')}`, `node@${digest('e')}`] }
    const resolveImage = () =>
      Promise.reject(new BasaltError('registry.unreachable', { message: 'no network' }))
    await build({ resolveImage, backend: backend({ local }) })
    expect(world.pins.get('node:1')).toBe(digest('e'))
  })

  it('that nobody knows are told with the line and the reason', async () => {
    world.write({ 'web/Dockerfile': '# one\nFROM node:1\n' })
    const resolveImage = () =>
      Promise.reject(new BasaltError('registry.unreachable', { message: 'no network' }))
    expect(await failureOf(build({ resolveImage }))).toMatchObject({
      code: 'build.base-unresolved',
      message: expect.stringMatching(
        /^web\/Dockerfile:2: node:1 could not be resolved to a digest: no network; /,
      ),
    })
    expect((await failureOf(build())).message).toMatch(/no registry could be asked/)
  })
})

describe('what comes out', () => {
  it('must be what the builder says that it made', async () => {
    const id: Digest = `sha256:${'0'.repeat(64)}`
    expect(await failureOf(build({ backend: backend({ id }) }))).toMatchObject({
      code: 'image.invalid',
      message: expect.stringMatching(/^web\/Dockerfile: sha256:0+ was built, but the image sha256:/),
    })
  })

  it('must be for this machine', async () => {
    expect(await failureOf(build({ backend: backend({ architecture: 'riscv64' }) }))).toMatchObject({
      code: 'image.invalid',
      message: 'web/Dockerfile: what was built is for linux/riscv64, which this machine cannot run',
      remedy: expect.stringMatching(/--platform/),
    })
  })

  it('is graded by a second build', async () => {
    expect((await build()).made?.grade).toBe('inputs pinned')
    expect((await build({ check: true })).made).toMatchObject({ grade: 'bit-reproducible', reasons: [] })
    expect(works.map(({ noCache }) => noCache)).toEqual([false, true])
    // It is known from then on.
    expect((await build()).made?.grade).toBe('bit-reproducible')
  })

  it('is not what it was said to be where the second build differs', async () => {
    const noisy = backend({ noise: true })
    const made = (await build({ check: true, backend: noisy })).made
    expect(made).toMatchObject({ grade: 'inputs pinned', reasons: ['built twice: 1 layer differs'] })
  })

  it.each([
    [
      'FROM scratch\nADD https://example.org/x /x\n',
      'recorded only',
      ['ADD in line 2 fetches what is not pinned'],
    ],
    [
      'FROM scratch\nRUN make\n',
      'inputs pinned',
      ['what RUN fetches from the network is not pinned (line 2)'],
    ],
    ['FROM scratch\nRUN --network=none make\n', 'inputs pinned', []],
  ])('is graded by what can be seen: %j', async (text, grade, reasons) => {
    world.write({ 'web/Dockerfile': text })
    expect((await build()).made).toMatchObject({ grade, reasons })
  })
})

describe('a context that cannot be built', () => {
  it('is too large: its size and what is in it', async () => {
    world.write({ 'web/data/big': 'x'.repeat(3 << 20), 'web/small': 'x'.repeat(1 << 20) })
    expect(await failureOf(build({ contextLimitBytes: 2 << 20 }))).toMatchObject({
      code: 'build.context-too-large',
      message: expect.stringMatching(
        /^the build context web has \d\.\d MiB in 5 files, more than 2\.0 MiB: data 3\.0 MiB, busybox .* MiB, small 1\.0 MiB/,
      ),
    })
    await build({ contextLimitBytes: 5 << 20, recipe: { ignore: ['data'] } })
  })

  it.each([
    [{ context: 'none' }, 'build.path-missing', /build context none does not exist/],
    [{ dockerfile: 'None' }, 'build.path-missing', /Dockerfile web\/None does not exist/],
    [{ dockerfile: '../../x' }, 'build.path-missing', /does not exist/],
    [{ target: 'none' }, 'build.dockerfile-invalid', /no stage `none`/],
    [{ secrets: [{ id: 't', file: 'none' }] }, 'build.path-missing', /secret t none does not exist/],
  ] as const)('%j', async (recipe, code, message) => {
    expect(await failureOf(build({ recipe }))).toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
  })

  it('leads out of the project', async () => {
    mkdirSync(join(world.folder, 'elsewhere'))
    writeFileSync(join(world.folder, 'elsewhere/secret'), 'x')
    symlinkSync('../elsewhere', join(world.project, 'out'))
    expect((await failureOf(build({ recipe: { context: 'out' } }))).code).toBe('build.path-escapes')
    expect((await failureOf(build({ recipe: { secrets: [{ id: 's', file: 'out/secret' }] } }))).code).toBe(
      'build.path-escapes',
    )
  })

  it('has a pipe in it; a socket is left out', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(world.project, 'web/s.sock'), resolve))
    try {
      await build()
      expect(works[0]?.files.entries.map(({ path }) => path)).not.toContain('s.sock')
      await exec('mkfifo', [join(world.project, 'web/pipe')])
      expect((await failureOf(build())).message).toMatch(/web\/pipe is a pipe or device/)
    } finally {
      server.close()
    }
  })
})

it('a folder that is ignored is there for what is taken back in it', async () => {
  world.write({ 'web/.dockerignore': '*\n!d/e/f\n', 'web/d/e/f': 'f', 'web/d/x': 'x', 'web/g/h': 'h' })
  await build()
  expect(works[0]?.files.entries.map(({ path }) => path)).toEqual(['d', 'd/e', 'd/e/f'])
})

it("the Dockerfile's own .dockerignore goes before that of the context", async () => {
  world.write({ 'web/.dockerignore': 'a\n', 'web/Dockerfile.dockerignore': 'busybox\nDockerfile*\n.*\n' })
  await build()
  expect(works[0]?.files.entries.map(({ path }) => path)).toEqual(['a'])
})
