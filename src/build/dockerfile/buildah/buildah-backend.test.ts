import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readMounts } from '../../../util/mountinfo.ts'
import { type BuildWorld, failureOf, filesOf, openBuildWorld } from '../build-world.fixture.ts'
import { findProgram } from './find-program.ts'

const missing =
  process.getuid?.() !== 0
    ? 'needs root'
    : findProgram('buildah') === null
      ? 'needs buildah: apt-get install --no-install-recommends buildah'
      : null
const unless = missing === null ? '' : ` (skipped: ${missing})`
if (missing !== null) console.warn(`builds by buildah are not tested: ${missing}`)

const run = (line: string): string => `RUN ["/bin/busybox", "sh", "-c", ${JSON.stringify(line)}]\n`

describe.skipIf(missing !== null)(`buildah${unless}`, () => {
  let world: BuildWorld
  beforeEach(async () => {
    world = await openBuildWorld('buildah')
  })
  afterEach(() => world.close())

  it('builds the same bytes again, in another folder too, and leaves nothing mounted', async () => {
    const files = {
      'web/Dockerfile': `FROM scratch\nCOPY busybox /bin/busybox\nCOPY src /src\n${run('busybox cat /src/a > /out')}`,
      'web/src/a': 'a',
    }
    world.write(files)
    const built = await world.build({ check: true })
    expect(built.made).toMatchObject({ program: 'buildah', grade: 'bit-reproducible' })
    const made = await filesOf(world.store, built.image)
    expect(made.get('out')).toMatchObject({ text: 'a', time: 1_750_000_000 })
    expect(await world.build()).toMatchObject({ cached: true, image: built.image })
    expect((await readMounts()).filter(({ path }) => path.startsWith(world.folder))).toEqual([])

    const other = await openBuildWorld('buildah')
    try {
      other.write(files)
      expect((await other.build()).image).toBe(built.image)
    } finally {
      other.close()
    }
  })

  it('says which step failed, where it stands and what it printed last', async () => {
    world.write({
      'web/Dockerfile': `FROM scratch AS one\nCOPY busybox /bin/busybox\n\nFROM one\n${run('echo last words; exit 7')}`,
    })
    expect(await failureOf(world.build())).toMatchObject({
      code: 'build.step-failed',
      message: expect.stringMatching(/^web\/Dockerfile:5: RUN .* failed: .*exit status 7\n {4}last words$/),
      details: { dockerfileLine: 5 },
    })
  })

  it('gives a secret to a step, and it is nowhere else', async () => {
    const secret = 'correct-horse-battery'
    world.write({
      'web/Dockerfile': `FROM scratch\nCOPY . /app\nRUN --mount=type=secret,id=token ["/app/busybox", "sh", "-c", "/app/busybox cat /run/secrets/token; echo"]\n`,
      'web/token.txt': secret,
    })
    await world.build({ recipe: { secrets: [{ id: 'token', file: 'web/token.txt' }] } })
    expect(JSON.stringify(world.events)).toContain('***')
    const holders = readdirSync(world.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => readFileSync(file).includes(secret))
    expect(holders).toEqual([join(world.project, 'web/token.txt')])
  })

  it('leaves no folder of a build behind, whether it ends well or not', async () => {
    const folders = () =>
      readdirSync(join(world.folder, 'cache/buildah')).filter((name) => name.startsWith('build-'))
    world.write({ 'web/Dockerfile': 'FROM scratch\nCOPY busybox /b\n' })
    await world.build()
    expect(folders()).toEqual([])
    world.write({ 'web/Dockerfile': 'FROM scratch\nCOPY none /b\n' })
    await failureOf(world.build())
    expect(folders()).toEqual([])
    expect(existsSync(join(world.folder, 'cache/buildah/root'))).toBe(true)
  })

  it('says so when its disk is full', async () => {
    const storage = join(world.folder, 'cache/buildah')
    mkdirSync(storage, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=5m', 'none', storage])
    try {
      const steps = Array.from({ length: 4 }, (_, index) => `COPY busybox /copy-${index}\n`).join('')
      world.write({ 'web/Dockerfile': `FROM scratch\n${steps}` })
      expect(await failureOf(world.build())).toMatchObject({
        code: 'host.disk-full',
        message: expect.stringMatching(/no space is left/),
      })
    } finally {
      execFileSync('umount', ['--lazy', storage])
    }
  })
})
