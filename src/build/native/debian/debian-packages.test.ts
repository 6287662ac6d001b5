import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Spec, Validation } from '@cyclonedx/cyclonedx-library'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ProgressEvent } from '../../../core/op.ts'
import type { NativeRecipe } from '../../../core/system.ts'
import { invariant } from '../../../errors.ts'
import type { ContentStore } from '../../../images/content-store.ts'
import { openContentStore } from '../../../images/oci-layout-store.ts'
import { exec } from '../../../util/exec.ts'
import { scanTar } from '../../../util/tar-scanner.ts'
import { temporaryName } from '../../../util/temporary-name.ts'
import { createImageLock } from '../../image-lock.ts'
import { packageLockDigest, readLock, writeLock } from '../../lock-file.ts'
import type { PackageLock } from '../../package-lock.ts'
import { createNativeBuilder } from '../native-builder.ts'
import type { DebianMirrors } from './debian-mirrors.ts'
import { createDebianPackages } from './debian-packages.ts'
import { type FakeMirror, type FakePackage, startFakeMirror } from './fixtures/fake-mirror.ts'
import { createHttpGet } from './http-get.ts'

const suite = 'bookworm'
const baseFiles: FakePackage = {
  name: 'base-files',
  control: { 'Pre-Depends': 'awk' },
  files: { 'etc/os-release': 'ID=debian\n' },
}
const archive: readonly FakePackage[] = [
  baseFiles,
  {
    name: 'tool',
    version: '2:1.5-1',
    control: { Depends: 'libone (>= 1.0), debconf | debconf-2.0, mail-agent' },
    files: {
      'bin/tool': '#!/bin/sh\n',
      'sbin/old-tool': '=> bin/tool',
      'lib/x86/libtool.so': 'elf',
      'lib/link': '-> x86/libtool.so',
      'usr/share/doc/tool/copyright': 'free',
      'usr/share/doc/tool/README': 'read me',
      'usr/share/man/man1/tool.1': 'manual',
      'usr/share/locale/de/x.mo': 'x',
    },
    postinst: '#!/bin/sh\ntouch /tmp/basalt-postinst-ran\n',
  },
  { name: 'libone', version: '1.0', files: { 'usr/lib/libone.so': 'one' } },
  { name: 'postfix', control: { Provides: 'mail-agent', Priority: 'optional' } },
  {
    name: 'exim4',
    control: { Provides: 'mail-agent', Priority: 'standard' },
    files: { 'usr/sbin/exim4': 'x' },
  },
  { name: 'broken', control: { Depends: 'middle' } },
  { name: 'middle', control: { Depends: 'libone (>= 3) | nowhere' } },
  {
    name: 'ca-certificates',
    control: { Depends: 'openssl' },
    files: {
      'usr/share/ca-certificates/mozilla/B.crt': 'B',
      'usr/share/ca-certificates/mozilla/A.crt': 'A\n',
    },
  },
]

describe('Debian packages', () => {
  let mirror: FakeMirror
  let home: string
  let store: ContentStore
  beforeAll(async () => {
    mirror = await startFakeMirror()
  })
  afterAll(() => mirror.close())
  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), 'basalt-debian-'))
    store = await openContentStore(join(home, 'content'))
    mirror.requests.length = 0
    mirror.override.clear()
    await mirror.publish(suite, { packages: archive })
    await mirror.publish(`${suite}-security`, {
      packages: [{ name: 'libone', version: '1.0+deb12u1', files: { 'usr/lib/libone.so': 'two' } }],
    })
  })
  afterEach(() => rmSync(home, { recursive: true }))

  const lockFile = () => join(home, 'basalt.lock')
  interface Setup {
    readonly mirrors?: DebianMirrors
    readonly into?: ContentStore
    readonly cacheFolder?: string
    readonly events?: ProgressEvent[]
  }
  const builderWith = (
    lock: PackageLock,
    { mirrors, into = store, cacheFolder = join(home, 'cache') }: Setup = {},
  ) => {
    const here = [{ url: mirror.url, checkValidUntil: true }]
    return createNativeBuilder({
      store: into,
      cacheFolder,
      architecture: 'amd64',
      now: Date.now,
      debian: createDebianPackages({
        store: into,
        cacheFolder,
        lock,
        architecture: 'amd64',
        mirrors: () => Promise.resolve(mirrors ?? { archive: here, security: here }),
        httpGet: createHttpGet(() => null),
        exec,
        keyring: mirror.keyring,
        now: () => Date.parse('2026-07-12T00:00:00Z'),
      }),
    })
  }
  const recipe = (packages: readonly string[]): NativeRecipe => ({
    base: { kind: 'debian', suite },
    packages,
    copy: [],
    env: {},
    workdir: '/',
    entrypoint: [],
    user: null,
    labels: {},
  })
  /** As the engine does: reads the lock, builds, writes the lock. */
  const build = async (
    packages: readonly string[],
    { update = false, ...setup }: Setup & { update?: boolean } = {},
  ) => {
    const lock = (await readLock(lockFile(), { update })).packages
    const context = { service: 'web', folder: home, sourceTime: 1_750_000_000, revision: null, dirty: false }
    const op = {
      signal: new AbortController().signal,
      notify: (event: ProgressEvent) => void setup.events?.push(event),
    }
    const built = await builderWith(lock, setup).build(recipe(packages), context, op)
    await writeLock(lockFile(), { packages: lock, images: createImageLock({}, { update: false }) })
    return { ...built, lock }
  }
  const layersOf = async (image: `sha256:${string}`) => {
    const manifest = JSON.parse((await store.read(image)).toString()) as {
      layers: { digest: `sha256:${string}` }[]
    }
    return manifest.layers.map(({ digest }) =>
      [...scanTar(store.path(digest))].map(({ path, kind }) => ({ path, kind, digest })),
    )
  }
  const textOf = (digest: `sha256:${string}`, path: string) => {
    const entry = [...scanTar(store.path(digest))].find((found) => found.path === path)
    invariant(entry, `${path} is not in the layer`)
    return readFileSync(store.path(digest)).toString('utf8', entry.offset, entry.offset + entry.sizeBytes)
  }
  const names = (lock: PackageLock) =>
    lock.sets().flatMap((set) => set.packages.map(({ name, version }) => `${name} ${version}`))

  it('takes dependencies in, the newest of all suites, without what only maintainer scripts need', async () => {
    const { lock } = await build(['tool'])
    expect(names(lock)).toEqual(['base-files 1.0', 'exim4 1.0', 'libone 1.0+deb12u1', 'tool 2:1.5-1'])
  })

  it('makes a layer for each package: merged into /usr, trimmed, its scripts not run, known to scanners', async () => {
    const { image } = await build(['tool'])
    const [base = [], ...packages] = await layersOf(image)
    expect(base.map(({ path }) => path)).toContain('tmp/')
    expect(base.find(({ path }) => path === 'bin')).toMatchObject({ kind: 'symlink' })
    expect(packages).toHaveLength(4)
    const tool = packages[3] ?? []
    expect(
      tool.filter(({ kind }) => kind !== 'directory').map(({ path, kind }) => `${path} ${kind}`),
    ).toEqual([
      'usr/bin/tool file',
      'usr/lib/link symlink',
      'usr/lib/x86/libtool.so file',
      'usr/sbin/old-tool hardlink',
      'usr/share/doc/tool/copyright file',
      'var/lib/dpkg/status.d/tool file',
    ])
    const digest = tool[0]?.digest
    invariant(digest, 'no layer')
    expect(textOf(digest, 'var/lib/dpkg/status.d/tool')).toMatch(
      /^Package: tool\nStatus: install ok installed\nVersion: 2:1.5-1\n/,
    )
    expect(readdirSync(tmpdir())).not.toContain('basalt-postinst-ran')
    expect(readdirSync(join(home, 'cache/scratch'))).toEqual([])
  })

  it('bundles the certificates of ca-certificates', async () => {
    const { image, lock } = await build(['ca-certificates'])
    expect(names(lock)).toEqual(['base-files 1.0', 'ca-certificates 1.0'])
    const digest = (await layersOf(image))[2]?.[0]?.digest
    invariant(digest, 'no layer')
    expect(textOf(digest, 'etc/ssl/certs/ca-certificates.crt')).toBe('A\nB\n')
  })

  it('asks no index when the lock covers the recipe, and nothing at all when layers are cached', async () => {
    const first = await build(['tool'])
    mirror.requests.length = 0
    expect(await build(['tool'])).toMatchObject({ image: first.image, cached: true })
    expect(mirror.requests).toEqual([])

    const elsewhere = {
      into: await openContentStore(join(home, 'content-2')),
      cacheFolder: join(home, 'cache-2'),
    }
    expect(await build(['tool'], elsewhere)).toMatchObject({ image: first.image, cached: false })
    expect(mirror.requests.filter((path) => !path.startsWith('pool/'))).toEqual([])
    expect(mirror.requests).toHaveLength(4)
  })

  it('goes on with the locked versions until told to update', async () => {
    const first = await build(['tool'])
    await mirror.publish(`${suite}-security`, {
      packages: [{ name: 'libone', version: '1.0+deb12u2' }],
      compression: 'gz',
    })
    expect((await build(['tool'])).image).toBe(first.image)
    const { lock } = await build(['tool'], { update: true })
    expect(names(lock)).toContain('libone 1.0+deb12u2')
    expect(names((await readLock(lockFile(), { update: false })).packages)).toEqual([])
  })

  it('writes a lock that is the same for the same packages and has no host in it', async () => {
    await build(['tool'])
    const text = readFileSync(lockFile(), 'utf8')
    expect(text).not.toContain('127.0.0.1')
    await mirror.publish(suite, { packages: archive, release: { Date: 'Sun, 12 Jul 2026 10:16:37 UTC' } })
    const other = (await readLock(lockFile(), { update: true })).packages
    const first = (await readLock(lockFile(), { update: false })).packages
    for (const lock of [first, other]) {
      const context = { service: 'web', folder: home, sourceTime: 1, revision: null, dirty: false }
      await builderWith(lock).build(recipe(['tool']), context, { signal: new AbortController().signal })
    }
    expect(packageLockDigest(other)).toBe(packageLockDigest(first))
    await writeLock(lockFile(), { packages: first, images: createImageLock({}, { update: false }) })
    expect(readFileSync(lockFile(), 'utf8')).toBe(text)
  })

  it('shares indexes and layers between builds at the same time', async () => {
    const lock = (await readLock(lockFile(), { update: false })).packages
    const builder = builderWith(lock)
    const context = { service: 'web', folder: home, sourceTime: 1, revision: null, dirty: false }
    const op = { signal: new AbortController().signal }
    await Promise.all(
      [['tool'], ['libone'], ['tool']].map((packages) => builder.build(recipe(packages), context, op)),
    )
    expect(mirror.requests.toSorted((a, b) => a.localeCompare(b))).toEqual(
      [...new Set(mirror.requests)].toSorted((a, b) => a.localeCompare(b)),
    )
    expect(lock.sets().map((set) => set.requested)).toEqual([['libone'], ['tool']])
  })

  it('gives the same image in another folder from another order of the same index', async () => {
    const first = await build(['tool', 'ca-certificates'])
    rmSync(lockFile())
    await mirror.publish(suite, { packages: archive.toReversed() })
    const elsewhere = {
      into: await openContentStore(join(home, 'content-2')),
      cacheFolder: join(home, 'cache-2'),
    }
    expect((await build(['ca-certificates', 'tool'], elsewhere)).image).toBe(first.image)
  })

  it('attaches a valid CycloneDX bill and SLSA provenance with every package and its hash', async () => {
    const { image, lock } = await build(['tool'])
    const documents = new Map<string, string>()
    for (const { digest, artifactType } of await store.references()) {
      if (artifactType === undefined) continue
      const manifest = JSON.parse((await store.read(digest)).toString()) as {
        layers: { digest: `sha256:${string}` }[]
      }
      const [layer] = manifest.layers
      if (layer) documents.set(artifactType, (await store.read(layer.digest)).toString())
    }
    const bill = documents.get('application/vnd.cyclonedx+json') ?? ''
    expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(bill)).toBeNull()
    const packages = lock.sets().flatMap((set) => set.packages)
    const tool = packages.at(-1)
    const purl = 'pkg:deb/debian/tool@2%3A1.5-1?arch=amd64&distro=bookworm'
    expect(JSON.parse(bill)).toMatchObject({
      metadata: { component: { version: image }, timestamp: '2025-06-15T15:06:40Z' },
      components: expect.arrayContaining([
        expect.objectContaining({
          purl,
          version: '2:1.5-1',
          hashes: [{ alg: 'SHA-256', content: tool?.sha256 }],
        }),
      ]),
    })
    expect(JSON.parse(documents.get('application/vnd.in-toto+json') ?? '')).toMatchObject({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ digest: { sha256: image.slice('sha256:'.length) } }],
      predicateType: 'https://slsa.dev/provenance/v1',
      predicate: {
        buildDefinition: {
          externalParameters: { recipe: { packages: ['tool'] } },
          resolvedDependencies: expect.arrayContaining([{ uri: purl, digest: { sha256: tool?.sha256 } }]),
        },
        runDetails: { builder: { version: { native: '1' } } },
      },
    })
  })

  it('tells what it does', async () => {
    const events: ProgressEvent[] = []
    await build(['libone'], { events })
    expect(new Set(events.map((event) => event.code))).toEqual(
      new Set(['build.resolving', 'build.warning', 'build.fetching', 'build.layer', 'build.done']),
    )
  })

  describe('refuses', () => {
    const failure = (code: string, message: RegExp) =>
      expect.objectContaining({ code, message: expect.stringMatching(message) })
    const failing = (packages: readonly string[], setup: Setup & { update?: boolean } = {}) =>
      build(packages, setup).then(
        () => null,
        (cause: unknown) => cause,
      )

    it('an index signed by another key, or changed after it was signed', async () => {
      await mirror.publish(suite, { packages: archive }, { key: 'other' })
      expect(await failing(['tool'])).toEqual(
        failure('build.signature-invalid', /index of bookworm .*cannot be trusted/),
      )
      await mirror.publish(suite, { packages: archive })
      const signed = await (await fetch(`${mirror.url}/dists/${suite}/InRelease`)).text()
      mirror.override.set(
        /bookworm\/InRelease/,
        Buffer.from(signed.replace('Origin: Debian', 'Origin: Debiam')),
      )
      expect(await failing(['tool'])).toEqual(failure('build.signature-invalid', /BAD signature/))
      mirror.override.set(/bookworm\/InRelease/, Buffer.from('Codename: bookworm\n'))
      expect(await failing(['tool'])).toEqual(failure('build.signature-invalid', /bookworm/))
    })

    it('an index that is out of date or of another suite', async () => {
      await mirror.publish(suite, {
        packages: archive,
        release: { 'Valid-Until': 'Sat, 11 Jul 2026 20:00:00 UTC' },
      })
      expect(await failing(['tool'])).toEqual(
        failure('build.signature-invalid', /valid until Sat, 11 Jul 2026/),
      )
      const old = { archive: [{ url: mirror.url, checkValidUntil: false }], security: [] }
      expect(await failing(['tool'], { mirrors: old })).toBeNull()
      await mirror.publish(suite, { packages: archive, release: { Codename: 'buster' } })
      expect(await failing(['exim4'], { mirrors: old })).toEqual(
        failure('build.signature-invalid', /index of buster/),
      )
    })

    it('an index that is older than the one of the lock, or of a day to come', async () => {
      await build(['tool'])
      const older = { packages: archive, release: { Date: 'Fri, 10 Jul 2026 10:16:37 UTC' } }
      await mirror.publish(suite, older)
      const reason = /of Fri, 10 Jul 2026 .*, older than the one of Sat, 11 Jul 2026/
      for (const update of [false, true])
        expect(await failing(['exim4'], { update })).toEqual(failure('build.signature-invalid', reason))
      // Nothing has to be looked up for what is locked.
      expect(await failing(['tool'])).toBeNull()
      rmSync(lockFile())
      expect(await failing(['exim4'])).toBeNull()

      for (const Date of ['Mon, 13 Jul 2026 10:16:37 UTC', 'soon', null]) {
        await mirror.publish(suite, { packages: archive, release: { Date } })
        expect(await failing(['libone'])).toEqual(failure('build.signature-invalid', /its date is/))
      }
    })

    it('an answer without an end', async () => {
      let sent = 0
      const endless = createServer((_, response) => {
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(1 << 16))) sent += 1 << 16
        }
        response.on('drain', more)
        more()
      })
      await new Promise<void>((done) => endless.listen(0, '127.0.0.1', () => done()))
      const url = `http://127.0.0.1:${(endless.address() as AddressInfo).port}`
      const here = [{ url, checkValidUntil: true }]
      const mirrors = { archive: here, security: [] }
      try {
        expect(await failing(['tool'], { mirrors })).toEqual(
          failure('network.unreachable', /index of bookworm .*: the answer has more than 8388608 bytes/),
        )
        await build(['libone'])
        rmSync(join(home, 'cache'), { recursive: true })
        sent = 0
        expect(await failing(['libone'], { mirrors })).toEqual(
          failure(
            'network.unreachable',
            /the package (?:base-files|libone) .*: the answer has more than \d+ bytes/,
          ),
        )
        expect(sent).toBeLessThan(64 << 20)
      } finally {
        endless.closeAllConnections()
        await new Promise((done) => endless.close(done))
      }
    })

    it('an archive that is of another package than the lock says, built before or not', async () => {
      await build(['libone'])
      const locked = readFileSync(lockFile(), 'utf8')
      for (const [from, to] of [
        ['libone_1.0+deb12u1_amd64', 'libtwo_1.0+deb12u1_amd64'],
        ['libone_1.0+deb12u1_amd64', 'libone_9.0_amd64'],
        ['libone_1.0+deb12u1_amd64', 'libone_1.0+deb12u1_all'],
      ] as const) {
        // The path of the archive has the package's name too.
        writeFileSync(
          lockFile(),
          locked.replaceAll(new RegExp(`(?<!/)${from.replaceAll('+', '\\+')}(?!\\.deb)`, 'g'), to),
        )
        expect(await failing(['libone'])).toEqual(
          failure('build.lock-stale', /is of libone 1\.0\+deb12u1 amd64/),
        )
      }
    })

    it('a package list or archive with another hash', async () => {
      mirror.override.set(/bookworm\/main.*by-hash/, Buffer.from('something else'))
      expect(await failing(['tool'])).toEqual(failure('build.hash-mismatch', /package list of bookworm/))
      mirror.override.clear()
      mirror.override.set(/libone/, Buffer.from('something else'))
      expect(await failing(['libone'])).toEqual(failure('build.hash-mismatch', /libone 1.0\+deb12u1/))
      expect(readdirSync(join(home, 'cache/debs')).filter((name) => name.endsWith('.tmp'))).toEqual([])
    })

    it('a security archive without the suite', async () => {
      mirror.override.set(/bookworm-security\/InRelease/, null)
      expect(await failing(['tool'])).toEqual(failure('build.failed', /bookworm-security/))
    })

    it('unknown and virtual packages, with what may have been meant', async () => {
      expect(await failing(['tol'])).toMatchObject({
        code: 'build.package-unknown',
        remedy: 'Did you mean tool?',
        details: { package: 'tol' },
      })
      expect(await failing(['mail-agent'])).toMatchObject({
        code: 'build.package-unknown',
        remedy: 'Did you mean postfix, exim4?',
      })
    })

    it('dependencies that cannot be met, naming the chain', async () => {
      expect(await failing(['broken'])).toMatchObject({
        code: 'build.package-unresolvable',
        message: 'broken cannot be installed: nothing offers libone (>= 3) or nowhere (broken → middle)',
        details: { package: 'broken', chain: ['broken', 'middle'] },
      })
    })

    it('a lock whose archive is gone, and one that is damaged', async () => {
      await build(['tool'])
      rmSync(join(home, 'cache'), { recursive: true })
      mirror.override.set(/pool\/.*libone/, null)
      expect(await failing(['tool'])).toMatchObject({
        code: 'build.lock-stale',
        remedy: expect.stringContaining('basalt build --update'),
      })
      writeFileSync(lockFile(), readFileSync(lockFile(), 'utf8').replace('path: pool/', 'path: pool/../../'))
      expect(await failing(['tool'])).toEqual(failure('build.lock-stale', /cannot be used/))
      writeFileSync(lockFile(), '{')
      expect(await failing(['tool'])).toEqual(failure('build.lock-stale', /cannot be used/))
    })

    it('to go on after an abort', async () => {
      const silent = createServer(() => {})
      await new Promise<void>((done) => silent.listen(0, '127.0.0.1', () => done()))
      const { port } = silent.address() as AddressInfo
      const archive = [{ url: `http://127.0.0.1:${port}`, checkValidUntil: true }]
      const lock = (await readLock(lockFile(), { update: false })).packages
      const context = { service: 'web', folder: home, sourceTime: 1, revision: null, dirty: false }
      const abort = new AbortController()
      silent.once('request', () => abort.abort())
      const run = builderWith(lock, { mirrors: { archive, security: [] } }).build(
        recipe(['tool']),
        context,
        abort,
      )
      await expect(run).rejects.toMatchObject({ code: 'request.interrupted' })
      silent.closeAllConnections()
      await new Promise((done) => silent.close(done))
    })

    it('to go on without a network, naming what was wanted', async () => {
      const nowhere = [{ url: 'http://127.0.0.1:9', checkValidUntil: true }]
      expect(await failing(['tool'], { mirrors: { archive: nowhere, security: nowhere } })).toEqual(
        failure(
          'network.unreachable',
          /^the index of bookworm could not be fetched from http:\/\/127.0.0.1:9: /,
        ),
      )
    })
  })

  it('passes over a source of somebody else and a mirror that is down', async () => {
    const other = await startFakeMirror()
    await other.publish(suite, { packages: [baseFiles] })
    try {
      const good = { url: mirror.url, checkValidUntil: true }
      const others = ['http://127.0.0.1:9', other.url].map((url) => ({ url, checkValidUntil: true }))
      const { lock } = await build(['tool'], { mirrors: { archive: [...others, good], security: [good] } })
      expect(names(lock)).toContain('tool 2:1.5-1')
    } finally {
      await other.close()
    }
  })

  it('says that a suite has no updates', async () => {
    const events: ProgressEvent[] = []
    await build(['libone'], { events })
    expect(events).toContainEqual(
      expect.objectContaining({
        code: 'build.warning',
        message: expect.stringContaining('has no bookworm-updates'),
      }),
    )
    await mirror.publish(`${suite}-updates`, { packages: [] })
    events.length = 0
    await build(['libone'], { events, update: true })
    expect(events.map(({ code }) => code)).not.toContain('build.warning')
  })

  it('reads only the signed part of an index', async () => {
    const signed = await (await fetch(`${mirror.url}/dists/${suite}/InRelease`)).text()
    const forged = `Codename: evil\nSHA256:\n ${'0'.repeat(64)} 1 main/binary-amd64/Packages.xz\n`
    mirror.override.set(/bookworm\/InRelease/, Buffer.from(`${forged}${signed}${forged}`))
    expect(names((await build(['exim4'])).lock)).toEqual(['base-files 1.0', 'exim4 1.0'])
  })

  it('removes what a killed build left behind, and nothing of a live one', async () => {
    const dead = (await exec('sh', ['-c', 'echo $$'])).stdout.trim()
    const debs = join(home, 'cache/debs')
    const scratch = join(home, 'cache/scratch')
    mkdirSync(debs, { recursive: true })
    const layers = join(home, 'cache/layers')
    mkdirSync(layers)
    const own = temporaryName()
    for (const name of [own, own.replace(/^\d+/, dead)]) {
      mkdirSync(join(scratch, name), { recursive: true })
      writeFileSync(join(debs, `a.deb.${name}.tmp`), '')
      writeFileSync(join(layers, `.x.json.${name}.tmp`), '')
    }
    await build(['libone'])
    expect(readdirSync(scratch)).toEqual([own])
    expect(readdirSync(debs).filter((name) => name.endsWith('.tmp'))).toEqual([`a.deb.${own}.tmp`])
    expect(readdirSync(layers).filter((name) => name.endsWith('.tmp'))).toEqual([`.x.json.${own}.tmp`])
  })

  it('fetches an archive again that was damaged in the cache', async () => {
    const first = await build(['tool'])
    for (const name of readdirSync(join(home, 'cache/debs'))) truncateSync(join(home, 'cache/debs', name), 10)
    const into = await openContentStore(join(home, 'content-2'))
    expect((await build(['tool'], { into })).image).toBe(first.image)
  })
})
