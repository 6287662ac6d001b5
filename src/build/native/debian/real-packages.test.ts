import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ImageDigest } from '../../../core/ids.ts'
import type { ContentStore } from '../../../images/content-store.ts'
import { openContentStore } from '../../../images/oci-layout-store.ts'
import { exec } from '../../../util/exec.ts'
import { readLock } from '../../lock-file.ts'
import type { PackageLock } from '../../package-lock.ts'
import { openNativeBuilder } from '../open-native-builder.ts'
import { type AptMirror, startAptMirror } from './fixtures/apt-mirror.ts'

/** Programs of real packages, in images that real tools unpack and a real runtime starts, as `app`, read-only. */
describe('images of real packages', () => {
  let mirror: AptMirror
  let home: string
  let store: ContentStore
  let lock: PackageLock
  let problem: string | null = null
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'basalt-real-'))
    store = await openContentStore(join(home, 'content'))
    lock = (await readLock(join(home, 'basalt.lock'), { update: false })).packages
    mirror = await startAptMirror()
    if (process.getuid?.() !== 0) problem = 'unpacking and running an image needs root'
    else if (!(await fetch(`${mirror.url}/dists/bookworm/InRelease`)).ok)
      problem = "apt cannot reach Debian's archive"
  })
  afterAll(async () => {
    await mirror.close()
    rmSync(home, { recursive: true })
  })

  const build = async (packages: readonly string[], entrypoint: readonly string[]) => {
    const builder = openNativeBuilder({
      store,
      cacheFolder: join(home, 'cache'),
      lock,
      environment: { BASALT_DEBIAN_MIRROR: mirror.url, BASALT_DEBIAN_SECURITY_MIRROR: mirror.securityUrl },
    })
    const { image } = await builder.build(
      {
        base: { kind: 'debian', suite: 'bookworm' },
        packages,
        copy: [],
        env: {},
        workdir: '/',
        entrypoint,
        user: 'app',
        labels: {},
      },
      { service: 'real', folder: home, sourceTime: 1_750_000_000, revision: null, dirty: false },
      { signal: new AbortController().signal },
    )
    return image
  }

  const run = async (image: ImageDigest): Promise<string> => {
    const work = mkdtempSync(join(home, 'run-'))
    const layout = join(work, 'layout')
    await exec('cp', ['-r', store.folder, layout])
    const found = (await store.references()).find((reference) => reference.digest === image)
    const tagged = { ...found, annotations: { 'org.opencontainers.image.ref.name': 'x' } }
    writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [tagged] }))
    const bundle = join(work, 'bundle')
    const unpacked = await exec('umoci', ['unpack', '--image', `${layout}:x`, bundle])
    if (unpacked.exitCode !== 0) throw new Error(unpacked.stderr)

    const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as {
      process: { terminal: boolean }
      root: { readonly?: boolean }
      linux: { resources?: unknown }
    }
    config.process.terminal = false
    config.root.readonly = true
    delete config.linux.resources
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(config))
    // crun does not take a hybrid cgroup layout; in a mount namespace of its own the second hierarchy can be hidden.
    const script = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec crun run -b "$0" "$1"'
    const result = await exec('unshare', ['-m', 'sh', '-c', script, bundle, `basalt-real-${process.pid}`])
    return `${result.stdout}${result.stderr}`
  }

  type Case = [name: string, entrypoint: readonly string[], expected: RegExp]
  it.for<Case>([
    [
      'nodejs',
      ['node', '-p', 'process.release.name + require("os").userInfo().username + 6 * 7'],
      /^nodeapp42\n$/,
    ],
    [
      'python3',
      ['python3', '-c', 'import ssl, sqlite3, json, getpass; print(ssl.OPENSSL_VERSION, getpass.getuser())'],
      /^OpenSSL 3\S* .* app\n$/,
    ],
    ['redis-server', ['/usr/bin/redis-server', '--version'], /^Redis server v=7/],
  ])('%s runs', { timeout: 300_000 }, async ([name, entrypoint, expected], test) => {
    if (problem !== null) return test.skip(problem)
    const image = await build([name], entrypoint)
    expect(await run(image)).toMatch(expected)
  })

  it('are of signed, locked packages that scanners find', (test) => {
    if (problem !== null) return test.skip(problem)
    const packages = lock.sets().flatMap((set) => set.packages)
    expect(packages.length).toBeGreaterThan(30)
    expect(packages.map(({ name }) => name)).not.toContain('adduser')
  })
})
