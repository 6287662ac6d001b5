import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exec } from '../util/exec.ts'
import { openSource } from './source.ts'

const op = { signal: new AbortController().signal }

describe('a source folder', () => {
  let home: string
  let folder: string
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'basalt-source-'))
    chmodSync(home, 0o755)
    folder = join(home, 'project')
    mkdirSync(folder)
  })
  afterEach(() => rmSync(home, { recursive: true }))

  const git = async (...args: readonly string[]) => {
    const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'init.defaultBranch=main']
    const result = await exec('git', ['-C', folder, ...identity, ...args])
    if (result.exitCode !== 0) throw new Error(result.stderr)
    return result.stdout.trim()
  }
  const commit = async (path: string, time: number) => {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), `${path} ${time}`)
    await git('add', path)
    const env = {
      PATH: process.env.PATH ?? '',
      GIT_COMMITTER_DATE: `@${time} +0500`,
      GIT_AUTHOR_DATE: '@1500000000 +0000',
    }
    await exec('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b.c', 'commit', '-qm', path], {
      env,
    })
    return git('rev-parse', 'HEAD')
  }
  const ask = async (paths: readonly string[], environment: Record<string, string> = {}) => {
    const source = await openSource(
      folder,
      { exec, environment: { PATH: process.env.PATH, ...environment } },
      op,
    )
    return { ...(await source.lastChange(paths)), dirty: await source.isDirty(paths) }
  }

  it('is a fixed date outside git, unless SOURCE_DATE_EPOCH says another', async () => {
    const expected = { time: 946_684_800, revision: null, dirty: false, warnings: [] }
    expect(await ask(['.'])).toEqual(expected)
    expect(await ask(['.'], { SOURCE_DATE_EPOCH: '1234567890' })).toEqual({
      ...expected,
      time: 1_234_567_890,
    })
    expect(await ask(['.'], { SOURCE_DATE_EPOCH: 'yesterday' })).toEqual(expected)
  })

  it('is the last commit that touched the paths, and whether they differ from it', async () => {
    await git('init', '-q')
    expect(await ask(['.'])).toMatchObject({ revision: null, dirty: true, time: 946_684_800 })
    const first = await commit('a/file', 1_700_000_000)
    const second = await commit('b/[x]', 1_700_000_500)
    expect(await ask(['a'])).toEqual({ time: 1_700_000_000, revision: first, dirty: false, warnings: [] })
    expect(await ask(['a', 'b'])).toMatchObject({ time: 1_700_000_500, revision: second })
    expect(await ask(['b/[x]'])).toMatchObject({ revision: second })
    expect(await ask([])).toEqual({ time: 946_684_800, revision: null, dirty: false, warnings: [] })

    writeFileSync(join(folder, 'b/[x]'), 'changed')
    expect(await ask(['a'])).toMatchObject({ dirty: false })
    expect(await ask(['b'])).toMatchObject({ dirty: true, revision: second })
    mkdirSync(join(folder, 'c'))
    writeFileSync(join(folder, 'c/new'), '')
    expect(await ask(['c'])).toMatchObject({ revision: null, dirty: true, time: 946_684_800 })
  })

  it('warns when the history is cut off where it would have to be read', async () => {
    await git('init', '-q')
    await commit('a', 1_700_000_000)
    await commit('b', 1_700_000_500)
    const full = folder
    folder = join(home, 'shallow')
    await exec('git', ['clone', '-q', '--depth=1', `file://${full}`, folder])
    expect((await ask(['a'])).warnings.join()).toContain('git fetch --unshallow')
    const third = await commit('a', 1_700_000_900)
    expect(await ask(['a'])).toMatchObject({ revision: third, warnings: [] })
  })

  describe('whose checkout names programs', () => {
    const program = () => join(home, 'program')
    const ran = () => join(home, 'ran')
    const usersThatRan = async () =>
      new Set((await exec('cat', [ran()])).stdout.split('\n').filter((line) => line !== ''))

    const plant = async () => {
      await git('init', '-q')
      await commit('a', 1_700_000_000)
      writeFileSync(join(folder, '.gitattributes'), '* filter=evil\n')
      writeFileSync(program(), `#!/bin/sh\nid -u >>${ran()}\ncat\n`)
      chmodSync(program(), 0o755)
      for (const key of ['filter.evil.clean', 'core.fsmonitor']) await git('config', key, program())
      writeFileSync(ran(), '')
      chmodSync(ran(), 0o666)
      writeFileSync(join(folder, 'a'), 'b 1700000000')
    }

    it('runs them as its owner, never as root', async (test) => {
      if (process.getuid?.() !== 0) return test.skip('giving files to another user needs root')
      await plant()
      await exec('chown', ['-R', '12345:12345', folder])
      chownSync(folder, 12345, 12345)

      expect(await ask(['a'])).toMatchObject({ time: 1_700_000_000, dirty: true })
      // git runs the filter to see whether the content differs.
      expect(await usersThatRan()).toEqual(new Set(['12345']))
    })

    it("runs them as the repository's owner also where the folder is root's", async (test) => {
      if (process.getuid?.() !== 0) return test.skip('giving files to another user needs root')
      await plant()
      await exec('chown', ['-R', '12345:12345', join(folder, '.git')])

      expect(await ask(['a'])).toMatchObject({ dirty: true })
      expect(await usersThatRan()).toEqual(new Set(['12345']))
    })
  })

  it('says what git says about a broken repository', async () => {
    await git('init', '-q')
    writeFileSync(join(folder, '.git/config'), '[broken')
    await expect(ask(['.'])).rejects.toMatchObject({
      code: 'build.failed',
      message: expect.stringContaining('config'),
    })
  })
})
