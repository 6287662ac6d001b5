import { createHash, randomFillSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createNativeBuilder } from '../src/build/native/native-builder.ts'
import type { NativeRecipe } from '../src/core/system.ts'
import { openContentStore } from '../src/images/oci-layout-store.ts'
import { type BenchOptions, type BenchRow, beside, median, ratioAtMost, timed } from './row.ts'

const fileCount = 5000
const totalBytes = 60 * 1024 * 1024

/** Longer than the builder distrusts files that were just written. */
const settleMs = 2200

const recipe: NativeRecipe = {
  base: { kind: 'scratch' },
  packages: [],
  copy: [{ from: 'app', to: '/app', mode: null, uid: 0, gid: 0, ignore: [] }],
  env: {},
  workdir: '/app',
  entrypoint: [],
  user: null,
  labels: {},
}

/**
 * A whole image build of 60 MiB in 5,000 files, cold (empty store and cache) and with nothing changed, against reading
 * and hashing the same files. All three alternate; the files are in the page cache.
 */
export async function benchBuildLayer({ rounds, folder }: BenchOptions): Promise<readonly BenchRow[]> {
  const work = mkdtempSync(join(folder, 'basalt-bench-layer-'))
  try {
    const project = join(work, 'project')
    writeFiles(join(project, 'app'))
    await sleep(settleMs)
    const times = { floor: [] as number[], cold: [] as number[], unchanged: [] as number[] }
    for (let round = 0; round <= rounds; round++) {
      const home = join(work, `round-${round}`)
      const build = await buildOf(project, home)
      times.floor.push(await timed(async () => readAndHash(join(project, 'app'))))
      times.cold.push(await timed(build))
      times.unchanged.push(await timed(build))
      rmSync(home, { recursive: true })
    }
    const floor = ['read + sha256', median(times.floor.slice(1))] as const
    const what = 'layer of 60 MiB in 5,000 files'
    return [
      beside(`${what}, cold`, 'ms', median(times.cold.slice(1)), floor, ratioAtMost(2)),
      beside(`${what}, nothing changed`, 'ms', median(times.unchanged.slice(1)), floor, ratioAtMost(0.8)),
    ]
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Sizes between a quarter and seven quarters of the mean, in 100 folders; contents that do not compress. */
export function writeFiles(folder: string): void {
  const mean = totalBytes / fileCount
  for (let index = 0; index < fileCount; index++) {
    const file = join(folder, `part-${index % 100}`, `file-${index}.bin`)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, randomFillSync(Buffer.alloc(Math.round(mean * (0.25 + (1.5 * index) / fileCount)))))
  }
}

async function buildOf(folder: string, home: string): Promise<() => Promise<void>> {
  const builder = createNativeBuilder({
    store: await openContentStore(join(home, 'content')),
    cacheFolder: join(home, 'cache'),
    architecture: 'amd64',
    now: Date.now,
    debian: { layers: () => Promise.reject(new Error('the recipe has no packages')) },
  })
  const context = { service: 'bench', folder, sourceTime: 1_750_000_000, revision: null, dirty: false }
  return async () => {
    await builder.build(recipe, context, { signal: new AbortController().signal })
  }
}

function readAndHash(folder: string): string {
  const hash = createHash('sha256')
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) hash.update(readFileSync(join(entry.parentPath, entry.name)))
  }
  return hash.digest('hex')
}
