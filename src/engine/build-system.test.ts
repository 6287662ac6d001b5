import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Builder } from '../build/builder.ts'
import type { PackageLock } from '../build/package-lock.ts'
import { openSource } from '../build/source.ts'
import { loadManifest } from '../config/load-manifest.ts'
import type { ProgressEvent } from '../core/op.ts'
import type { NativeRecipe } from '../core/system.ts'
import { BasaltError, invariant } from '../errors.ts'
import { exec } from '../util/exec.ts'
import { createSystemBuilder } from './build-system.ts'
import type { SystemBuild } from './system-builder.ts'

const image = `sha256:${'a'.repeat(64)}` as const

let folder: string
let events: ProgressEvent[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'basalt-build-'))
  events = []
})
afterEach(() => rmSync(folder, { recursive: true }))

type Build = Builder<NativeRecipe>['build']

/** A run whose images are made by `build`. */
async function run(build: (lock: PackageLock) => Build, update = false): Promise<SystemBuild> {
  const system = createSystemBuilder({
    openBuilder: (lock) => ({ name: 'native', version: '1', build: build(lock) }),
    openSource: (place, op) => openSource(place, { exec, environment: process.env }, op),
    imageSizeBytes: async (digest) => {
      throw new BasaltError('image.unknown', { message: 'not there', details: { digest } })
    },
  })
  const manifest = await loadManifest(folder)
  const op = { signal: new AbortController().signal, notify: (event: ProgressEvent) => events.push(event) }
  return system.build(manifest, { update }, op)
}

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)

describe('mistakes that only builds find', () => {
  const mistake = (message: string, part: readonly (string | number)[]): BasaltError =>
    new BasaltError('build.path-missing', {
      message,
      remedy: 'Correct it.',
      details: { path: 'x', problems: [{ message, remedy: 'Correct it.', part }] },
    })

  const manifest = `system: tiny
services:
  web:
    build: { base: scratch, copy: [a:/a, b:/b], entrypoint: [/a] }
  api:
    build: { base: scratch, copy: [c:/c], entrypoint: [/c] }
`
  beforeEach(() => write('basalt.yaml', manifest))
  const at = (line: number, column: number) => `${join(folder, 'basalt.yaml')}:${line}:${column}`

  it('are told at once, in the order of their places', async () => {
    write('basalt.yaml', `${manifest}  other:\n    image: name@${image}\n`)
    const slowFirst: Build = async (_recipe, { service }) => {
      if (service === 'web') await new Promise((resolve) => setTimeout(resolve, 50))
      throw service === 'web' ? mistake('b is missing', ['copy', 1]) : mistake('c is missing', ['copy', 0])
    }
    const error = await run(() => slowFirst).then(
      () => null,
      (cause: unknown) => cause,
    )
    invariant(error instanceof BasaltError, 'the run did not fail as it should')
    expect(error.code).toBe('build.failed')
    expect(error.message.split('\n')).toEqual([
      `${join(folder, 'basalt.yaml')} has 3 mistakes:`,
      `${at(4, 42)}: b is missing. Correct it.`,
      `${at(6, 36)}: c is missing. Correct it.`,
      expect.stringMatching(/:8:12: the image sha256:a+ is not in the content store\. .*basalt image import/),
    ])
  })

  it('are told one by one where there is one', async () => {
    const build: Build = async (_recipe, { service }) => {
      if (service === 'web') throw mistake('b is missing', ['copy', 1])
      return { image, cached: true, sizeBytes: 1 }
    }
    await expect(run(() => build)).rejects.toMatchObject({
      code: 'build.path-missing',
      message: `${at(4, 42)}: b is missing`,
      remedy: 'Correct it.',
      details: { path: 'x', line: 4, column: 42 },
    })
  })

  it('are none where the machine is in the way: then the other builds end, too', async () => {
    let aborted = false
    const build: Build = async (_recipe, { service }, op) => {
      if (service === 'web') throw new BasaltError('network.unreachable', { message: 'no network' })
      await new Promise((resolve) => op.signal.addEventListener('abort', resolve, { once: true }))
      aborted = true
      throw new BasaltError('request.interrupted', { message: 'interrupted' })
    }
    await expect(run(() => build)).rejects.toMatchObject({
      code: 'network.unreachable',
      message: 'no network',
    })
    expect(aborted).toBe(true)
  })
})

describe('basalt.lock', () => {
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], {
      cwd: folder,
      encoding: 'utf8',
    }).trim()
  const commit = (): string => {
    git('add', '--all')
    git('commit', '--quiet', '--message', 'a state')
    return git('rev-parse', 'HEAD')
  }

  beforeEach(() => {
    write(
      'basalt.yaml',
      'system: tiny\nservices: { web: { build: { base: debian, packages: [dash], entrypoint: dash } } }\n',
    )
    git('init', '--quiet')
  })

  const resolved =
    (version: string) =>
    (lock: PackageLock): Build =>
    async () => {
      const request = { suite: 'bookworm', architecture: 'amd64', requested: ['dash'] }
      const item = { name: 'dash', version, architecture: 'amd64', suite: 'bookworm', sizeBytes: 1 }
      const packages = [{ ...item, path: `pool/main/d/dash_${version}.deb`, sha256: '0'.repeat(64) }]
      lock.keep(lock.find(request) ?? { ...request, indexes: {}, packages })
      return { image, cached: true, sizeBytes: 1 }
    }
  const written = () => events.filter(({ code }) => code === 'build.lock-written').length

  it('makes nothing dirty by being new, and is told of once', async () => {
    const first = commit()
    const before = await run(resolved('1'))
    expect(before.source).toEqual({ revision: first, dirty: false })
    expect(written()).toBe(1)
    expect(await run(resolved('1'))).toMatchObject({ source: before.source, lock: before.lock })
    expect(written()).toBe(1)

    git('add', 'basalt.lock')
    expect((await run(resolved('1'))).source.dirty).toBe(false)
    const second = commit()
    const after = await run(resolved('1'))
    expect([after.source, after.lock]).toEqual([{ revision: second, dirty: false }, before.lock])
  })

  it('makes dirty where it differs from the committed one', async () => {
    commit()
    await run(resolved('1'))
    commit()
    const updated = await run(resolved('2'), true)
    expect([updated.source.dirty, written()]).toEqual([true, 2])
    expect((await run(resolved('2'))).source.dirty).toBe(true)
    commit()
    expect((await run(resolved('2'))).source.dirty).toBe(false)
  })

  it('does not hide what else is not committed', async () => {
    commit()
    write(
      'basalt.yaml',
      'system: tiny\nservices: { web: { build: { base: debian, packages: [dash], entrypoint: sh } } }\n',
    )
    expect((await run(resolved('1'))).source.dirty).toBe(true)
  })
})
