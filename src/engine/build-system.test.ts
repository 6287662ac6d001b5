import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Builder } from '../build/builder.ts'
import { createImageResolver, type ImageResolverPorts } from '../build/image-resolver.ts'
import type { PackageLock } from '../build/package-lock.ts'
import { openSource } from '../build/source.ts'
import { loadManifest } from '../config/load-manifest.ts'
import type { ImageDigest } from '../core/ids.ts'
import type { ProgressEvent } from '../core/op.ts'
import type { NativeRecipe } from '../core/system.ts'
import { BasaltError, invariant } from '../errors.ts'
import { formatReference } from '../images/reference.ts'
import { exec } from '../util/exec.ts'
import { createSystemBuilder } from './build-system.ts'
import type { SystemBuild } from './system-builder.ts'

const image = `sha256:${'a'.repeat(64)}` as const

let folder: string
let events: ProgressEvent[]
/** Images that are in the store. */
let sizes: Set<string>
let registry: Omit<ImageResolverPorts, 'lock'>
beforeEach(() => {
  sizes = new Set()
  registry = { find: async () => null, registry: { resolve: noRegistry, pull: noRegistry } }
  folder = mkdtempSync(join(tmpdir(), 'basalt-build-'))
  events = []
})
afterEach(() => rmSync(folder, { recursive: true }))

const noRegistry = async (): Promise<never> => {
  throw new BasaltError('registry.unreachable', { message: 'no network' })
}

type Build = Builder<NativeRecipe>['build']

/** A run whose images are made by `build`. */
async function run(build: (lock: PackageLock) => Build, update = false): Promise<SystemBuild> {
  const system = createSystemBuilder({
    openBuilders: ({ packages }) => ({
      native: { name: 'native', version: '1', build: build(packages) },
      dockerfile: {
        name: 'dockerfile',
        version: '1',
        build: () => Promise.reject(new Error('not asked for')),
      },
    }),
    readText: async () => '',
    openSource: (place, op) => openSource(place, { exec, environment: process.env }, op),
    openResolver: (lock) => createImageResolver({ lock, ...registry }),
    imageSizeBytes: async (digest) => {
      if (sizes.has(digest)) return 1

      throw new BasaltError('image.unknown', { message: 'not there', details: { digest } })
    },
  })
  const manifest = await loadManifest(folder)
  const op = { signal: new AbortController().signal, notify: (event: ProgressEvent) => events.push(event) }
  return system.build(manifest, { update, check: false, log: false }, op)
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
    write('basalt.yaml', `${manifest}  other:\n    image: ${image}\n`)
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

describe('images of a registry', () => {
  const [first, second, platform] = [
    `sha256:${'1'.repeat(64)}`,
    `sha256:${'2'.repeat(64)}`,
    `sha256:${'3'.repeat(64)}`,
  ] as const
  const manifest = `system: tiny
services:
  web:
    image: nginx:1.25
  api:
    build: { base: "node:22", copy: [c:/c] }
  other:
    image: nginx:1.25
`
  let asked: string[]
  let latest: ImageDigest
  let recipes: NativeRecipe[]
  const build: Build = async (recipe) => {
    recipes.push(recipe)
    return { image, cached: true, sizeBytes: 1 }
  }
  beforeEach(() => {
    write('basalt.yaml', manifest)
    write('c', 'c')
    asked = []
    recipes = []
    latest = first
    registry = {
      find: async (digest) => (sizes.has(digest) ? platform : null),
      registry: {
        async resolve(reference) {
          asked.push(`resolve ${formatReference(reference)}`)
          return { digest: latest }
        },
        async pull(reference) {
          asked.push(`pull ${formatReference(reference)}`)
          for (const digest of [reference.digest ?? '', platform]) sizes.add(digest)
          return { image: platform }
        },
      },
    }
  })

  it('are resolved once, fetched, pinned, and from then on what they were', async () => {
    const built = await run(() => build)
    expect(asked.toSorted()).toEqual([
      `pull docker.io/library/nginx@${first}`,
      `pull docker.io/library/node@${first}`,
      'resolve docker.io/library/nginx:1.25',
      'resolve docker.io/library/node:22',
    ])
    expect(built.images).toEqual({ web: platform, api: image, other: platform })
    expect(built.pins).toEqual([
      { reference: 'nginx:1.25', digest: first, previous: null },
      { reference: 'node:22', digest: first, previous: null },
    ])
    expect(recipes.map(({ base }) => base)).toEqual([{ kind: 'image', digest: platform }])
    expect(
      events.filter(({ code }) => code === 'build.image-pinned').map(({ message }) => message),
    ).toContain(`web: nginx:1.25 → ${first}`)
    expect(readFileSync(join(folder, 'basalt.lock'), 'utf8')).toContain(`images:\n  nginx:1.25: ${first}\n`)

    // The tag was moved, which nobody asked for.
    latest = second
    asked = []
    events = []
    const again = await run(() => build)
    expect(asked).toEqual([])
    expect(again.pins[0]).toEqual({ reference: 'nginx:1.25', digest: first, previous: first })
    expect(events.map(({ code }) => code)).not.toContain('build.image-pinned')

    sizes.clear()
    await run(() => build)
    expect(asked).toContain(`pull docker.io/library/nginx@${first}`)
    expect(asked.join()).not.toContain('resolve')
  })

  it('are resolved anew when that is asked for, and the difference is shown', async () => {
    await run(() => build)
    latest = second
    const updated = await run(() => build, true)
    expect(updated.pins).toEqual([
      { reference: 'nginx:1.25', digest: second, previous: first },
      { reference: 'node:22', digest: second, previous: first },
    ])
    expect(events.map(({ message }) => message)).toContain(`web: nginx:1.25 → ${second} (was ${first})`)
    expect(readFileSync(join(folder, 'basalt.lock'), 'utf8')).not.toContain(first)
  })

  it('that are named with their digest need no lock', async () => {
    write('basalt.yaml', `system: tiny\nservices: { web: { image: "nginx:1.25@${second}" } }`)
    const built = await run(() => build)
    expect(asked).toEqual([`pull docker.io/library/nginx@${second}`])
    expect(built).toMatchObject({ images: { web: platform }, pins: [] })
    expect(existsSync(join(folder, 'basalt.lock'))).toBe(false)
  })

  it.each([
    ['registry.image-unknown', 'user'],
    ['registry.denied', 'user'],
    ['registry.unreachable', 'environment'],
  ] as const)('that cannot be had are told at their places: %s', async (code, kind) => {
    const fail = async () => {
      throw new BasaltError(code, { message: 'it is not to be had', remedy: 'Do this.' })
    }
    registry = { ...registry, registry: { resolve: fail, pull: fail } }
    const error = await run(() => build).then(
      () => null,
      (cause: unknown) => cause,
    )
    invariant(error instanceof BasaltError, 'the run did not fail as it should')
    expect(error).toMatchObject({ code, kind })
    const at = (line: number, column: number) => `${join(folder, 'basalt.yaml')}:${line}:${column}`
    const told = kind === 'user' ? [at(4, 12), at(6, 20), at(8, 12)] : [at(4, 12)]
    for (const place of told) expect(error.message).toContain(`${place}: it is not to be had`)
    expect(`${error.message} ${error.remedy}`).toContain('Do this.')
    expect(existsSync(join(folder, 'basalt.lock'))).toBe(false)
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
