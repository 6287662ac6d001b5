import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import type { Store, StreamName } from '../src/store/store.ts'
import { type BenchOptions, type BenchRow, beside, median, ratioAtLeast } from './row.ts'

const appendsPerRound = 2000
const writers = 32
const recordBytes = 300

/**
 * Durable events per second, by one writer that waits for each append and by 32 at the same time, against
 * appends of 300-byte records to a plain file with fdatasync after each. Rounds of the three alternate, so that
 * a slow moment of the disk hits all.
 */
export async function benchStore({ rounds, folder }: BenchOptions): Promise<readonly BenchRow[]> {
  const work = mkdtempSync(join(folder, 'basalt-bench-store-'))
  const store = openSqliteStore({ path: join(work, 'ledger.db'), now: Date.now })
  const file = openSync(join(work, 'raw'), 'a')
  try {
    const raw: number[] = []
    const sequential: number[] = []
    const concurrent: number[] = []
    for (let round = 0; round <= rounds; round++) {
      raw.push(await perSecond(async () => appendRaw(file)))
      sequential.push(
        await perSecond(() => appendEvents(store, `environment/round${round}/alone`, appendsPerRound)),
      )
      concurrent.push(
        await perSecond(async () => {
          const each = Math.ceil(appendsPerRound / writers)
          await Promise.all(
            Array.from({ length: writers }, (_, writer) =>
              appendEvents(store, `environment/round${round}/w${writer}`, each),
            ),
          )
        }),
      )
    }
    const peer = ['fdatasync appends to a file', median(raw.slice(1))] as const
    return [
      beside('durable events, 1 writer', '/s', median(sequential.slice(1)), peer, ratioAtLeast(0.7)),
      beside(`durable events, ${writers} writers`, '/s', median(concurrent.slice(1)), peer),
    ]
  } finally {
    closeSync(file)
    await store.close()
    rmSync(work, { recursive: true, force: true })
  }
}

function appendRaw(file: number): void {
  const record = Buffer.alloc(recordBytes, 0x61)
  for (let index = 0; index < appendsPerRound; index++) {
    writeSync(file, record)
    fdatasyncSync(file)
  }
}

/** Events whose canonical JSON is as long as a raw record. */
async function appendEvents(store: Store, stream: StreamName, count: number): Promise<void> {
  for (let version = 0; version < count; version++)
    await store.append(stream, version, [
      { type: 'step-completed', data: { note: 'x'.repeat(recordBytes - 130) } },
    ])
}

async function perSecond(round: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await round()
  return (appendsPerRound / (performance.now() - start)) * 1000
}
