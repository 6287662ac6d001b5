import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Op } from '../../core/op.ts'
import type { Store } from '../store.ts'
import { openSqliteStore } from './sqlite-store.ts'

const op: Op = { signal: new AbortController().signal }
const fixture = join(import.meta.dirname, 'fixtures', 'append-process.ts')
const step = (note: string) => ({ type: 'step-taken', data: { note } })

let folder: string
let path: string
let stores: Store[]
let children: ChildProcess[]
let mounts: string[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'basalt-sqlite-durability-'))
  path = join(folder, 'ledger.db')
  stores = []
  children = []
  mounts = []
})

afterEach(async () => {
  for (const store of stores) await store.close()
  for (const child of children) child.kill('SIGKILL')
  for (const mount of mounts) execFileSync('umount', ['--lazy', mount])
  await rm(folder, { recursive: true, force: true })
})

function open(file = path): Store {
  const store = openSqliteStore({ path: file, now: Date.now })
  stores.push(store)
  return store
}

interface AppendProcess {
  readonly child: ChildProcess
  /** The lines that it printed so far, parsed. */
  readonly lines: unknown[]
  readonly ended: Promise<unknown>
  /** Resolves once there are so many lines. */
  readonly printed: (count: number) => Promise<void>
}

/** Starts the fixture; `wrapper` goes before its command. */
function startAppending(args: readonly string[], wrapper: readonly string[] = []): AppendProcess {
  const [file = '', ...rest] = [...wrapper, process.execPath, fixture, ...args]
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const lines: unknown[] = []
  let wake = (): void => {}
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => {
    lines.push(JSON.parse(line))
    wake()
  })
  const ended = once(reader, 'close').then(() => wake())
  const printed = async (count: number) => {
    while (lines.length < count && child.exitCode === null && child.signalCode === null)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
  return { child, lines, ended, printed }
}

const positionsIn = (lines: readonly unknown[]) => lines.filter((line) => typeof line === 'number')
const canRun = (command: string, args: readonly string[]): boolean => {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe('a ledger whose process is killed', () => {
  it('has every event that was acknowledged, kill after kill, and verifies', async () => {
    let acknowledged = 0
    for (const writers of ['1', '8', '32', '1', '8', '32']) {
      const appending = startAppending([path, writers])
      await appending.printed(60 + acknowledged / 7)
      appending.child.kill('SIGKILL')
      await appending.ended
      acknowledged = Math.max(acknowledged, ...positionsIn(appending.lines))

      const store = open()
      const { size } = await store.verify(op)
      expect(size).toBeGreaterThanOrEqual(acknowledged)
      expect(size).toBeLessThanOrEqual(acknowledged + 32)
      await store.close()
    }
    expect(acknowledged).toBeGreaterThan(300)
  })
})

describe('a second process on the same file', () => {
  it('is refused, and told which process has it', async () => {
    const holder = startAppending([path])
    await holder.printed(2)
    expect(() => open()).toThrow(
      expect.objectContaining({
        code: 'store.locked',
        message: `${path} is in use by process ${holder.child.pid}`,
        details: expect.objectContaining({ pid: holder.child.pid }),
      }),
    )
    const before = holder.lines.length
    await holder.printed(before + 5)
    expect(holder.lines.slice(before)).not.toHaveLength(0)
    holder.child.kill('SIGKILL')
    await holder.ended

    open()
    const second = startAppending([path])
    await second.ended
    expect(second.lines).toEqual([
      { code: 'store.locked', message: `${path} is in use by process ${process.pid}` },
    ])
  })

  it('is refused within one process too', async () => {
    await open().append('system/shop', 0, [step('first')])
    expect(() => open()).toThrow(expect.objectContaining({ code: 'store.locked' }))
    expect((await open(join(folder, 'other.db')).head()).size).toBe(0)
    await stores[0]!.append('system/shop', 1, [step('second')])
  })
})

describe('opening a file', () => {
  const modes = () =>
    readdirSync(folder).map((name) => [name, (statSync(join(folder, name)).mode & 0o777).toString(8)])

  it('keeps it and its log from other users, whatever the umask and the mode it had', async () => {
    const umask = process.umask(0)
    try {
      const store = open()
      await store.append('system/shop', 0, [step('secret')])
      expect(modes()).toEqual([
        ['ledger.db', '600'],
        ['ledger.db-wal', '600'],
      ])
      await store.close()
      expect(modes()).toEqual([['ledger.db', '600']])
      await chmod(path, 0o644)
      await open().append('system/shop', 1, [step('secret')])
      expect(modes()).toEqual([
        ['ledger.db', '600'],
        ['ledger.db-wal', '600'],
      ])
    } finally {
      process.umask(umask)
    }
  })

  it('goes on with an empty file, as a crash while it is made leaves it', async () => {
    await writeFile(path, '')
    expect((await open().head()).size).toBe(0)
  })

  it('refuses the ledger of a newer Basalt, and leaves it as it is', async () => {
    await open().close()
    const database = new Database(path)
    database.pragma('user_version = 9')
    database.close()
    for (const _attempt of [1, 2])
      expect(() => open()).toThrow(
        expect.objectContaining({
          code: 'store.newer-format',
          message: `${path} has format 9; this Basalt reads format 2 only`,
        }),
      )
  })

  it('refuses the ledger of an older Basalt, and leaves it as it is', async () => {
    await open().close()
    const database = new Database(path)
    database.pragma('user_version = 1')
    database.close()
    for (const _attempt of [1, 2])
      expect(() => open()).toThrow(
        expect.objectContaining({
          code: 'store.older-format',
          message: `${path} has format 1; this Basalt reads format 2 only`,
        }),
      )
  })

  it('refuses what is no ledger, and leaves it as it is', async () => {
    await writeFile(path, 'a text that somebody put here\n'.repeat(200))
    expect(() => open()).toThrow(
      expect.objectContaining({ code: 'store.unavailable', message: `${path} is not a ledger of Basalt` }),
    )
    await rm(path)
    const database = new Database(path)
    database.exec('CREATE TABLE notes (text)')
    database.close()
    expect(() => open()).toThrow('is not a ledger of Basalt')
    const again = new Database(path)
    expect(again.pragma('journal_mode', { simple: true })).toBe('delete')
    again.close()
  })

  it('names the path when the folder is missing or the path is a folder', () => {
    expect(() => open(join(folder, 'no', 'ledger.db'))).toThrow(
      expect.objectContaining({
        code: 'store.unavailable',
        message: expect.stringContaining('no/ledger.db'),
      }),
    )
    mkdirSync(path)
    expect(() => open()).toThrow(expect.objectContaining({ code: 'store.unavailable' }))
  })
})

describe('a disk without space', () => {
  function mountSmallDisk(sizeBytes: number): string | null {
    const mount = join(folder, 'disk')
    mkdirSync(mount)
    if (!canRun('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', mount])) return null
    mounts.push(mount)
    return mount
  }

  it('is reported; the ledger stays whole and goes on once there is space', async (ctx) => {
    const mount = mountSmallDisk(6 * 1024 * 1024)
    if (mount === null) return ctx.skip('needs the right to mount a tmpfs')
    const store = open(join(mount, 'ledger.db'))
    const ballast = join(mount, 'ballast')
    let size = 0
    const fill = async () => {
      for (;;) {
        await store.append('system/shop', size, [step('x'.repeat(20_000))])
        size += 1
      }
    }
    await writeFile(ballast, Buffer.alloc(1024 * 1024))
    await expect(fill()).rejects.toMatchObject({ code: 'host.disk-full' })
    // The reserve: what was written before the disk was full could be written.
    expect(size).toBeGreaterThan(50)
    expect((await store.verify(op)).size).toBe(size)

    await rm(ballast)
    await store.append('system/shop', size, [step('after')])
    expect((await store.verify(op)).size).toBe(size + 1)
  })

  it('rejects only the append that is too large among those of one moment', async (ctx) => {
    const mount = mountSmallDisk(6 * 1024 * 1024)
    if (mount === null) return ctx.skip('needs the right to mount a tmpfs')
    const store = open(join(mount, 'ledger.db'))
    const results = await Promise.allSettled([
      store.append('system/shop', 0, [step('small')]),
      store.append('environment/shop/staging', 0, [step('small'), step('x'.repeat(8 * 1024 * 1024))]),
      store.append('system/shop', 1, [step('small')]),
    ])
    expect(results.map((result) => (result.status === 'fulfilled' ? 'ok' : result.reason.code))).toEqual([
      'ok',
      'host.disk-full',
      'ok',
    ])
    expect((await store.verify(op)).size).toBe(2)
  })

  it('lets a ledger open without its reserve', async (ctx) => {
    const mount = mountSmallDisk(1024 * 1024)
    if (mount === null) return ctx.skip('needs the right to mount a tmpfs')
    const store = open(join(mount, 'ledger.db'))
    await store.append('system/shop', 0, [step('small')])
    expect((await store.verify(op)).size).toBe(1)
  })
})

describe('a disk that fails an fsync', () => {
  // Faults are injected by strace into the system calls of a real process.
  const failing = (call: string, when: string) => [
    'strace',
    '--follow-forks',
    '--quiet=all',
    '--output=/dev/null',
    `--trace=${call}`,
    `--inject=${call}:error=EIO:when=${when}`,
  ]
  const canTrace = () => canRun('strace', ['--output=/dev/null', 'true'])

  it('stops all further writes, for ever, and keeps what was acknowledged', async (ctx) => {
    if (!canTrace()) return ctx.skip('needs strace')
    // One failure only: an fsync that is tried again would succeed, without the data.
    const appending = startAppending([path], failing('fsync,fdatasync', '30'))
    await appending.ended
    const positions = positionsIn(appending.lines)
    expect(positions.length).toBeGreaterThan(3)
    const acknowledged = positions.at(-1)!
    expect(appending.lines.slice(positions.length + 1)).toEqual([
      { code: 'store.unavailable', message: `${path} cannot be used: SQLITE_IOERR_FSYNC` },
      {
        code: 'store.unavailable',
        message: `the ledger takes no more events: ${path} cannot be used: SQLITE_IOERR_FSYNC`,
      },
      `${acknowledged} verified`,
    ])
    expect((await open().verify(op)).size).toBeGreaterThanOrEqual(acknowledged)
  })

  it('is noticed when it hits a checkpoint, which SQLite itself would not tell', async (ctx) => {
    if (!canTrace()) return ctx.skip('needs strace')
    // The 19th and the 20th are those of the log and of the file in the first checkpoint, after 5 commits of
    // this size. All 5 are durable in the log.
    for (const when of ['19', '20']) {
      const file = join(folder, `${when}.db`)
      const appending = startAppending([file, '1', '150000'], failing('fsync,fdatasync', when))
      await appending.ended
      const refused = {
        code: 'store.unavailable',
        message: `the ledger takes no more events: ${file} cannot be used: SQLITE_IOERR_FSYNC`,
      }
      expect(appending.lines).toEqual([
        'open',
        ...Array.from({ length: 5 }, (_, index) => index + 1),
        refused,
        refused,
        '5 verified',
      ])
      expect((await open(file).verify(op)).size).toBe(5)
    }
  })

  it('does not open a ledger that could not be stored', async (ctx) => {
    if (!canTrace()) return ctx.skip('needs strace')
    // All that happen until the store is open, but the third and the seventh: there SQLite syncs the folder
    // and ignores the result; the ninth is the store's own for it.
    for (const when of ['1', '2', '4', '5', '6', '8', '9', '10', '11', '12']) {
      const appending = startAppending([join(folder, `${when}.db`)], failing('fsync,fdatasync', when))
      await appending.ended
      expect(appending.lines, `fsync ${when}`).toEqual([
        expect.objectContaining({ code: 'store.unavailable' }),
      ])
    }
  })
})
