import {
  chmodSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Spec, Validation } from '@cyclonedx/cyclonedx-library'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Op, ProgressEvent } from '../../core/op.ts'
import type { CopySpec, NativeRecipe } from '../../core/system.ts'
import { invariant } from '../../errors.ts'
import type { ContentStore } from '../../images/content-store.ts'
import { storeImage, tarOf } from '../../images/image.fixture.ts'
import { openContentStore } from '../../images/oci-layout-store.ts'
import { exec } from '../../util/exec.ts'
import { scanTar } from '../../util/tar-scanner.ts'
import type { BuildContext } from '../builder.ts'
import { createNativeBuilder } from './native-builder.ts'

const copy = (from: string, to: string, more: Partial<CopySpec> = {}): CopySpec => ({
  from,
  to,
  mode: null,
  uid: 0,
  gid: 0,
  ignore: [],
  ...more,
})

const recipe = (more: Partial<NativeRecipe>): NativeRecipe => ({
  base: { kind: 'scratch' },
  packages: [],
  copy: [],
  env: {},
  workdir: '/',
  entrypoint: [],
  user: null,
  labels: {},
  ...more,
})

const sourceTime = 1_750_000_000
const idle: Op = { signal: new AbortController().signal }

describe('native builder', () => {
  let home: string
  let folder: string
  let store: ContentStore
  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), 'basalt-build-'))
    folder = join(home, 'project')
    mkdirSync(folder)
    store = await openContentStore(join(home, 'content'))
  })
  afterEach(() => rmSync(home, { recursive: true }))

  const put = (path: string, text: string, mode = 0o644) => {
    const file = join(folder, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    chmodSync(file, mode)
  }
  const context = (): BuildContext => ({ service: 'web', folder, sourceTime, revision: null, dirty: false })
  const builder = (into = store, cacheFolder = join(home, 'cache'), now = Date.now) =>
    createNativeBuilder({
      store: into,
      cacheFolder,
      architecture: 'amd64',
      now,
      debian: {
        layers: () => {
          throw new Error('not asked for here')
        },
      },
    })
  const build = (parts: Partial<NativeRecipe>, op = idle) => builder().build(recipe(parts), context(), op)
  const document = async (digest: string) =>
    JSON.parse((await store.read(digest as `sha256:${string}`)).toString()) as Record<string, never>
  const layerEntries = async (image: string, position: number) => {
    const manifest = (await document(image)) as unknown as { layers: { digest: `sha256:${string}` }[] }
    const layer = manifest.layers.at(position)
    invariant(layer, 'no such layer')
    return [...scanTar(store.path(layer.digest))]
  }

  describe('copy', () => {
    it('normalises owner, mode and time, sorts by bytes, and leaves out what is ignored', async () => {
      put('app/b.txt', 'b', 0o600)
      put('app/a-b', 'x', 0o770)
      put('app/a/c', 'c')
      put('app/.git/config', 'secret')
      put('app/node_modules/x/skip.log', 'log')
      put('app/node_modules/x/keep.log', 'log')
      symlinkSync('a/c', join(folder, 'app/link'))
      symlinkSync('not-there', join(folder, 'app/dangling'))
      const { image } = await build({
        copy: [copy('app', '/srv/app', { ignore: ['*.log', '!keep.log'], uid: 7, gid: 8 })],
      })
      const entries = await layerEntries(image, 0)
      expect(
        entries.map(({ path, kind, mode, uid, gid }) => `${path} ${kind} ${mode.toString(8)} ${uid}:${gid}`),
      ).toEqual(
        [
          'srv/ directory 755 0:0',
          'srv/app/ directory 755 7:8',
          'srv/app/a/ directory 755 7:8',
          'srv/app/a-b file 755 7:8',
          'srv/app/a/c file 644 7:8',
          'srv/app/b.txt file 644 7:8',
          'srv/app/dangling symlink 777 7:8',
          'srv/app/link symlink 777 7:8',
          'srv/app/node_modules/ directory 755 7:8',
          'srv/app/node_modules/x/ directory 755 7:8',
          'srv/app/node_modules/x/keep.log file 644 7:8',
        ].sort((a, b) => (a.replace(/\/? .*/, '') < b.replace(/\/? .*/, '') ? -1 : 1)),
      )
      expect(new Set(entries.map((entry) => entry.mtime))).toEqual(new Set([sourceTime]))
    })

    it('takes a file to a name or into a folder, and the given mode', async () => {
      put('run.sh', '#!/bin/sh\n')
      const { image } = await build({
        copy: [
          copy('run.sh', '/bin/run', { mode: 0o550 }),
          copy('run.sh', '/etc/scripts/'),
          copy('.', '/', { ignore: ['run.sh'] }),
        ],
      })
      expect((await layerEntries(image, 0)).map(({ path, mode }) => `${path} ${mode.toString(8)}`)).toEqual([
        'bin/ 755',
        'bin/run 550',
      ])
      expect((await layerEntries(image, 1)).map(({ path }) => path)).toEqual([
        'etc/',
        'etc/scripts/',
        'etc/scripts/run.sh',
      ])
      expect(await layerEntries(image, 2)).toEqual([])
    })

    it("keeps Basalt's own files out of the image that they describe", async () => {
      put('basalt.yaml', 'a')
      put('basalt.lock', 'b')
      put('sub/basalt.yaml', 'c')
      const { image } = await build({ copy: [copy('.', '/')] })
      expect((await layerEntries(image, 0)).map(({ path }) => path)).toEqual(['sub/', 'sub/basalt.yaml'])
    })

    it('keeps large files byte for byte', async () => {
      const large = Buffer.alloc(24_000_001, 0)
      for (let at = 0; at < large.length; at += 4096) large.writeUInt32LE(at, at)
      put('app/small', 'x')
      writeFileSync(join(folder, 'app/large'), large)
      const { image } = await build({ copy: [copy('app', '/app')] })
      const [, entry] = await layerEntries(image, 0)
      const manifest = (await document(image)) as unknown as { layers: { digest: `sha256:${string}` }[] }
      const [layer] = manifest.layers
      invariant(entry && layer, 'no layer')
      const stored = readFileSync(store.path(layer.digest)).subarray(
        entry.offset,
        entry.offset + entry.sizeBytes,
      )
      expect(stored.equals(large)).toBe(true)
    })

    it('puts a folder through the links of a lower layer', async () => {
      put('below/usr/bin/old', 'x')
      symlinkSync('usr/bin', join(folder, 'below/bin'))
      put('above/bin/new', 'y')
      const { image } = await build({ copy: [copy('below', '/'), copy('above', '/')] })
      expect((await layerEntries(image, 1)).map(({ path }) => path)).toEqual(['usr/bin/new'])
    })

    const escapes = { code: 'build.path-escapes' }
    it.each([
      ['a link upwards', () => symlinkSync('../../outside', join(folder, 'app/link'))],
      ['an absolute link', () => symlinkSync('/etc/passwd', join(folder, 'app/link'))],
      [
        'a link through a linked folder',
        () => {
          mkdirSync(join(folder, 'app/sub'))
          symlinkSync('..', join(folder, 'app/sub/d'))
          symlinkSync('sub/d/../secret', join(folder, 'app/link'))
        },
      ],
    ])('refuses %s', async (_, make) => {
      put('app/a', 'a')
      writeFileSync(join(home, 'outside'), 'secret')
      make()
      await expect(build({ copy: [copy('app', '/app')] })).rejects.toMatchObject({
        ...escapes,
        details: { path: 'app/link' },
      })
    })

    it('refuses a path that is outside, leads outside, or is not there', async () => {
      await expect(build({ copy: [copy('../project', '/x')] })).resolves.toBeDefined()
      symlinkSync('/etc', join(folder, 'etc'))
      await expect(build({ copy: [copy('..', '/x')] })).rejects.toMatchObject(escapes)
      await expect(build({ copy: [copy('/etc', '/x')] })).rejects.toMatchObject(escapes)
      await expect(build({ copy: [copy('etc', '/x')] })).rejects.toMatchObject(escapes)
      await expect(build({ copy: [copy('nope', '/x')] })).rejects.toMatchObject({
        code: 'build.path-missing',
        details: { path: 'nope' },
      })
    })

    it('refuses a socket unless it is ignored', async () => {
      put('app/a', 'a')
      const server = createServer().listen(join(folder, 'app/s.sock'))
      try {
        await expect(build({ copy: [copy('app', '/app')] })).rejects.toMatchObject({ code: 'build.failed' })
        await expect(build({ copy: [copy('app', '/app', { ignore: ['*.sock'] })] })).resolves.toBeDefined()
      } finally {
        await new Promise((done) => server.close(done))
      }
    })
  })

  describe('cache', () => {
    const later = () => Date.now() + 10_000
    it('does not read an unchanged folder again, and notices every change', async () => {
      put('app/a', 'one')
      put('app/b', 'two')
      const run = () =>
        builder(store, join(home, 'cache'), later).build(
          recipe({ copy: [copy('app', '/app')] }),
          context(),
          idle,
        )
      const first = await run()
      expect(first.cached).toBe(false)
      expect(await run()).toEqual({ ...first, cached: true })

      const before = new Date(Date.now() - 60_000)
      writeFileSync(join(folder, 'app/a'), 'ONE')
      utimesSync(join(folder, 'app/a'), before, before)
      const changed = await run()
      expect(changed).toMatchObject({ cached: false })
      expect(changed.image).not.toBe(first.image)
      chmodSync(join(folder, 'app/a'), 0o755)
      expect((await run()).image).not.toBe(changed.image)
      put('app/c', '')
      expect((await run()).cached).toBe(false)
    })

    it('does not trust a file that was written just before it was read', async () => {
      put('app/a', 'one')
      const spec = recipe({ copy: [copy('app', '/app')] })
      await builder().build(spec, context(), idle)
      expect((await builder().build(spec, context(), idle)).cached).toBe(false)
    })

    it('makes a layer again when it is gone from the store', async () => {
      put('app/a', 'one')
      const spec = recipe({ copy: [copy('app', '/app')] })
      const first = await builder(store, join(home, 'cache'), later).build(spec, context(), idle)
      const empty = await openContentStore(join(home, 'content-2'))
      const again = await builder(empty, join(home, 'cache'), later).build(spec, context(), idle)
      expect(again).toEqual({ ...first, cached: false })
    })
  })

  describe('image', () => {
    it('is the same in another folder, order, time, umask, locale and time zone', async () => {
      const source = join(import.meta.dirname, 'fixtures/build-once.ts')
      const digests = new Set<string>()
      const variants = [
        { TZ: 'Pacific/Kiritimati', LC_ALL: 'C', umask: '000', order: 'up' },
        { TZ: 'America/Adak', LC_ALL: 'de_DE.UTF-8', umask: '077', order: 'down' },
      ]
      for (const [index, { umask, ...environment }] of variants.entries()) {
        const place = mkdtempSync(join(tmpdir(), `basalt-same-${index}-`))
        const run = await exec(
          'sh',
          ['-c', `umask ${umask}; exec "$0" "$@"`, process.execPath, source, place],
          {
            env: { PATH: process.env.PATH ?? '', ...environment },
          },
        )
        expect(run.stderr).toBe('')
        digests.add(run.stdout.trim())
        rmSync(place, { recursive: true })
      }
      expect(digests.size).toBe(1)
      expect([...digests][0]).toMatch(/^sha256:[0-9a-f]{64}$/)
    })

    it('is understood by skopeo and umoci', async () => {
      put('app/start', '#!/bin/busybox sh\n', 0o755)
      const { image } = await build({
        copy: [copy('app', '/app')],
        env: { B: '2', A: '1' },
        workdir: '/app',
        entrypoint: ['./start', '--now'],
        user: '1000:1000',
        labels: { team: 'stone' },
      })
      const layout = join(home, 'tagged')
      await exec('cp', ['-r', store.folder, layout])
      const index = { schemaVersion: 2, manifests: [await tagged(image)] }
      writeFileSync(join(layout, 'index.json'), JSON.stringify(index))
      const inspect = await exec('skopeo', ['inspect', '--config', `oci:${layout}:x`])
      expect(inspect.stderr).toBe('')
      expect(JSON.parse(inspect.stdout)).toMatchObject({
        created: '2025-06-15T15:06:40Z',
        architecture: 'amd64',
        os: 'linux',
        config: {
          Entrypoint: ['./start', '--now'],
          WorkingDir: '/app',
          User: '1000:1000',
          Labels: { team: 'stone' },
          Env: ['A=1', 'B=2', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
        },
      })
      const unpack = await exec('umoci', ['unpack', '--image', `${layout}:x`, join(home, 'bundle')])
      expect(unpack).toMatchObject({ exitCode: 0 })
      expect(readFileSync(join(home, 'bundle/rootfs/app/start'), 'utf8')).toBe('#!/bin/busybox sh\n')
    })

    const tagged = async (image: string) => {
      const found = (await store.references()).find((reference) => reference.digest === image)
      return { ...found, annotations: { 'org.opencontainers.image.ref.name': 'x' } }
    }

    it('carries an SBOM and provenance as referrers that name it', async () => {
      put('a', 'a')
      const { image } = await build({ copy: [copy('a', '/a')] })
      const attached = (await store.references()).filter((reference) => reference.digest !== image)
      expect(new Set(attached.map((reference) => reference.artifactType))).toEqual(
        new Set(['application/vnd.cyclonedx+json', 'application/vnd.in-toto+json']),
      )
      expect(attached).toHaveLength(2)
      for (const { digest } of attached) {
        expect(await document(digest)).toMatchObject({
          subject: { digest: image },
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
        })
      }
    })

    const attachments = async () => {
      const documents: Record<'sbom' | 'provenance', Record<string, unknown>[]> = { sbom: [], provenance: [] }
      for (const { digest, annotations } of await store.references()) {
        const kind = annotations?.['org.basalt.attachment'] as 'sbom' | 'provenance' | undefined
        if (kind === undefined) continue
        const manifest = (await document(digest)) as unknown as { layers: { digest: string }[] }
        documents[kind].push(await document(manifest.layers[0]?.digest ?? ''))
      }
      return documents
    }

    it('has the same attached whichever service is built first, or both at once', async () => {
      put('a', 'a')
      const spec = recipe({ copy: [copy('a', '/a')] })
      const run = (service: string) => builder().build(spec, { ...context(), service }, idle)
      const { image } = await run('web')
      const first = await store.references()
      await Promise.all([run('api'), run('worker')])
      expect(await store.references()).toEqual(first)
      const { sbom, provenance } = await attachments()
      expect([sbom.length, provenance.length]).toEqual([1, 1])
      expect(JSON.stringify([sbom, provenance])).not.toContain('web')
      expect(sbom[0]).toMatchObject({ metadata: { component: { version: image } } })
    })

    it('names the commit in its provenance only when that has what was copied', async () => {
      put('a', 'a')
      const revision = 'c'.repeat(40)
      const spec = recipe({ copy: [copy('a', '/a')] })
      await builder().build(spec, { ...context(), revision, dirty: true }, idle)
      const dirty = JSON.stringify((await attachments()).provenance)
      expect(dirty).not.toContain(revision)
      expect(dirty).toContain('"uncommittedChanges":true')
      await builder().build(spec, { ...context(), revision }, idle)
      const both = JSON.stringify((await attachments()).provenance)
      expect(both).toContain(`"gitCommit":"${revision}"`)
    })

    it('is mended by another build, whichever of its blobs went bad', async () => {
      put('a', 'a')
      // Late enough for the layer to be found in the cache.
      const late = builder(store, join(home, 'cache'), () => Date.now() + 10_000)
      const run = () => late.build(recipe({ copy: [copy('a', '/a')] }), context(), idle)
      const { image } = await run()
      expect(await run()).toMatchObject({ cached: true })
      const blobs = readdirSync(join(store.folder, 'blobs/sha256'))
      expect(blobs).toHaveLength(8)
      for (const name of blobs) {
        const digest = `sha256:${name}` as const
        chmodSync(store.path(digest), 0o644)
        writeFileSync(store.path(digest), 'bad')
        await expect(store.verify(digest)).rejects.toMatchObject({ code: 'content.corrupt' })
        expect((await run()).image).toBe(image)
        await store.verify(digest)
      }
    })

    it('needs an entrypoint that is there and executable, and a user that is known', async () => {
      put('app/tool', 'x', 0o755)
      put('app/data', 'x')
      put('etc/passwd', 'root:x:0:0::/:\nweb:x:5:5::/:\n')
      symlinkSync('data', join(folder, 'app/to-data'))
      symlinkSync('loop', join(folder, 'app/loop'))
      const parts = { copy: [copy('app', '/usr/bin'), copy('etc', '/etc')] }
      const failing = { code: 'build.entrypoint-missing', kind: 'user' }
      for (const entrypoint of [
        'nope',
        '/usr/bin/nope',
        '/usr/bin/data',
        'to-data',
        '/usr/bin/loop',
        '/usr/bin',
      ])
        await expect(build({ ...parts, entrypoint: [entrypoint] })).rejects.toMatchObject(failing)
      await expect(build({ ...parts, entrypoint: ['tool'], env: { PATH: '/bin' } })).rejects.toMatchObject(
        failing,
      )
      await expect(build({ ...parts, entrypoint: ['tool'], user: 'wbe' })).rejects.toMatchObject({
        remedy: 'Use a number, or one of: root, web.',
      })
      for (const user of ['web', '12', '12:13'])
        await expect(build({ ...parts, entrypoint: ['tool'], user })).resolves.toBeDefined()
      expect((await store.references()).length).toBe(9)
    })

    it('is built upon another image, with its layers and settings', async () => {
      put('app/tool', 'x', 0o755)
      put('more/file', 'y')
      const base = await build({
        copy: [copy('app', '/usr/bin')],
        env: { A: '1', B: '1' },
        entrypoint: ['tool'],
        user: '5',
      })
      const top = await build({
        base: { kind: 'image', digest: base.image },
        copy: [copy('more', '/usr/bin')],
        env: { B: '2' },
      })
      const bill = (await attachments()).sbom.find(({ components }) => (components as []).length > 0)
      expect(bill).toMatchObject({
        components: [{ type: 'container', version: base.image }],
        compositions: [{ aggregate: 'incomplete', assemblies: [expect.anything(), expect.anything()] }],
      })
      expect(
        await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(JSON.stringify(bill)),
      ).toBeNull()
      const manifest = await document(top.image)
      expect(manifest).toMatchObject({ annotations: { 'org.opencontainers.image.base.digest': base.image } })
      expect((await layerEntries(top.image, 1)).map(({ path }) => path)).toEqual(['usr/bin/file'])
      const config = await document((manifest as unknown as { config: { digest: string } }).config.digest)
      expect(config).toMatchObject({
        config: { Entrypoint: ['tool'], User: '5', Env: ['A=1', 'B=2', expect.stringMatching(/^PATH=/)] },
      })
      expect(config['history']).toHaveLength(2)
    })

    it('is built upon a compressed image only when its layers are what it says', async () => {
      const layer = await tarOf([{ name: 'usr/bin/tool', mode: 0o755, content: 'x' }])
      for (const compression of ['none', 'gzip', 'zstd'] as const) {
        const { digest } = await storeImage(store, { layers: [layer], compression })
        const from = { base: { kind: 'image', digest }, entrypoint: ['tool'] } as const
        await expect(build(from)).resolves.toBeDefined()
        const lie = await storeImage(store, { layers: [layer], compression, diffIds: [digest] })
        await expect(build({ ...from, base: { kind: 'image', digest: lie.digest } })).rejects.toMatchObject({
          code: 'image.invalid',
        })
      }
      expect(readdirSync(join(home, 'cache'))).toEqual(['layers'])
    })

    it('rejects an unknown base and an aborted build', async () => {
      const digest = `sha256:${'0'.repeat(64)}` as const
      await expect(build({ base: { kind: 'image', digest } })).rejects.toMatchObject({
        code: 'image.unknown',
      })
      put('a', 'a')
      const op = { signal: AbortSignal.abort() }
      await expect(build({ copy: [copy('a', '/a')] }, op)).rejects.toMatchObject({
        code: 'request.interrupted',
      })
    })

    it('tells what it does', async () => {
      put('a', 'a')
      const events: ProgressEvent[] = []
      await build({ copy: [copy('a', '/a')] }, { ...idle, notify: (event) => void events.push(event) })
      expect(events.map((event) => event.code)).toEqual(['build.layer', 'build.done'])
    })
  })

  it('reports a full disk', async (test) => {
    const small = join(home, 'small')
    mkdirSync(small)
    const mounted = await exec('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', small])
    if (mounted.exitCode !== 0) return test.skip('mounting a tmpfs needs root')
    try {
      put('app/big', 'x'.repeat(1_000_000))
      const full = await openContentStore(join(small, 'content'))
      const run = builder(full).build(recipe({ copy: [copy('app', '/app')] }), context(), idle)
      await expect(run).rejects.toMatchObject({ code: 'host.disk-full' })
    } finally {
      await exec('umount', [small])
    }
  })

  it('takes no notice of link times', async () => {
    put('app/a', 'a')
    symlinkSync('a', join(folder, 'app/b'))
    const first = await build({ copy: [copy('app', '/app')] })
    lutimesSync(join(folder, 'app/b'), 1, 1)
    expect((await build({ copy: [copy('app', '/app')] })).image).toBe(first.image)
  })
})
