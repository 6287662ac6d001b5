import {
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exec } from './exec.ts'
import type { TarEntry } from './tar-entry.ts'
import { scanTar } from './tar-scanner.ts'
import { writeTar } from './tar-writer.ts'

const plain = { mode: 0o644, uid: 0, gid: 0, mtime: 1_700_000_000 }
const file = (path: string, text: string): TarEntry => ({
  ...plain,
  path,
  kind: 'file',
  content: Buffer.from(text),
})

describe('writeTar', () => {
  let folder: string
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'basalt-tar-'))))
  afterAll(() => rmSync(folder, { recursive: true }))

  const write = async (entries: readonly TarEntry[]): Promise<string> => {
    const chunks: Uint8Array[] = []
    for await (const chunk of writeTar(entries)) chunks.push(Buffer.from(chunk))
    const path = join(folder, 'archive.tar')
    writeFileSync(path, Buffer.concat(chunks))
    return path
  }

  const nested = `${'folder/'.repeat(20)}end.txt`
  const entries: readonly TarEntry[] = [
    { ...plain, path: 'bin', kind: 'directory', mode: 0o1777 },
    { ...file('bin/tool', 'x'.repeat(1000)), mode: 0o4755, uid: 5, gid: 3_000_000 },
    { ...plain, path: 'bin/hard', kind: 'hardlink', target: 'bin/tool' },
    { ...plain, path: 'bin/soft', kind: 'symlink', target: `../${'deep/'.repeat(40)}x` },
    file('empty', ''),
    file(nested, 'nested'),
    file('n'.repeat(140), 'long'),
    file('grüße\nnewline 日本', 'unicode'),
  ]

  it('is read back member by member', async () => {
    const found = [...scanTar(await write(entries))]
    expect(
      found.map(({ path, kind, target, uid, gid, mode, mtime }) => ({
        path,
        kind,
        target,
        uid,
        gid,
        mode,
        mtime,
      })),
    ).toEqual(
      entries.map((entry) => ({
        path: entry.kind === 'directory' ? `${entry.path}/` : entry.path,
        kind: entry.kind,
        target: 'target' in entry ? entry.target : '',
        uid: entry.uid,
        gid: entry.gid,
        mode: entry.mode,
        mtime: entry.mtime,
      })),
    )
  })

  it('is what GNU tar and Python read, with a pax header only where ustar is too small', async () => {
    const path = await write(entries)
    const list = await exec('tar', ['--quoting-style=literal', '-tvf', path])
    expect(list.stderr).toBe('')
    expect(list.stdout).toContain(nested)
    expect(list.stdout).toContain('grüße\nnewline 日本')
    const names = await exec('python3', [
      '-c',
      'import tarfile,sys\nfor m in tarfile.open(sys.argv[1]): print(m.type, len(m.pax_headers), m.gid, m.name.encode())',
      path,
    ])
    expect(names.stdout.split('\n').map((line) => line.split(' ')[1])).toEqual([
      '0',
      '1',
      '0',
      '1',
      '0',
      '0',
      '1',
      '1',
      undefined,
    ])
    expect(names.stdout).toContain('3000000')
  })

  it('depends on nothing but the entries', async () => {
    const content = join(folder, 'content')
    writeFileSync(content, 'a'.repeat(3_000_001))
    const read = async () => {
      const chunks: Uint8Array[] = []
      const range = { file: content, offset: 1, sizeBytes: 3_000_000 }
      for await (const chunk of writeTar([{ ...plain, path: 'a', kind: 'file', content: range }]))
        chunks.push(Buffer.from(chunk))
      return Buffer.concat(chunks)
    }
    const first = await read()
    utimesSync(content, 5, 5)
    expect((await read()).equals(first)).toBe(true)
    const padding = 512 - (3_000_000 % 512)
    expect(first.byteLength).toBe(512 + 3_000_000 + padding + 1024)
  })

  it('refuses a file that changed since it was looked at', async () => {
    const content = join(folder, 'changing')
    writeFileSync(content, 'before')
    const { expected } = stateOf(content)
    writeFileSync(content, 'after that')
    const range = { file: content, offset: 0, sizeBytes: 6, expected }
    await expect(write([{ ...plain, path: 'a', kind: 'file', content: range }])).rejects.toMatchObject({
      code: 'build.failed',
      message: `${content} changed while it was read`,
    })
  })

  it('refuses a file that changed back to its old time before it was read', async () => {
    const content = join(folder, 'content')
    writeFileSync(content, 'before')
    const { sizeBytes, expected } = stateOf(content)
    const { atime, mtime } = statSync(content)
    await setTimeout(20)
    writeFileSync(content, 'AFTER!')
    utimesSync(content, atime, mtime)
    // As precise as the file system keeps it, so that only the time of the change differs.
    const range = {
      file: content,
      offset: 0,
      sizeBytes,
      expected: { ...expected, mtimeNs: mtimeOf(content) },
    }
    await expect(write([{ ...plain, path: 'a', kind: 'file', content: range }])).rejects.toMatchObject({
      message: `${content} changed while it was read`,
    })
  })

  it('refuses a file that changes while it is read, the part that was read already included', async () => {
    const content = join(folder, 'content')
    writeFileSync(content, Buffer.alloc(5 << 20, 'a'))
    const range = { file: content, offset: 0, ...stateOf(content) }
    await setTimeout(20)
    const archive = writeTar([{ ...plain, path: 'a', kind: 'file', content: range }])
    const drained = (async () => {
      let chunks = 0
      for await (const _ of archive) if (++chunks === 2) patch(content, 'b')
    })()
    await expect(drained).rejects.toMatchObject({ message: `${content} changed while it was read` })
  })

  const mtimeOf = (path: string) => statSync(path, { bigint: true }).mtimeNs
  const stateOf = (path: string) => {
    const { dev: device, ino: inode, mtimeNs, ctimeNs, size } = statSync(path, { bigint: true })
    return { sizeBytes: Number(size), expected: { device, inode, mtimeNs, ctimeNs } }
  }
  /** Overwrites the first byte in place. */
  const patch = (path: string, text: string) => {
    const descriptor = openSync(path, 'r+')
    writeSync(descriptor, text, 0)
    closeSync(descriptor)
  }

  it('keeps any name, size and time', async () => {
    const name = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 300 })
      .filter(
        (text) =>
          !text.includes('\0') &&
          !text.startsWith('/') &&
          !text.endsWith('/') &&
          Buffer.from(text).toString() === text,
      )
    const time = fc.integer({ min: 0, max: 2 ** 40 })
    await fc.assert(
      fc.asyncProperty(name, name, time, async (path, target, mtime) => {
        const link: TarEntry = { ...plain, path, mtime, kind: 'symlink', target }
        expect([...scanTar(await write([link, file('after', 'x')]))]).toMatchObject([
          { path, mtime, target },
          { path: 'after' },
        ])
      }),
      { numRuns: 200 },
    )
  })
})

describe('scanTar', () => {
  it('refuses sparse members and damaged headers', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'basalt-tar-'))
    try {
      writeFileSync(join(folder, 'a'), '')
      await exec('truncate', ['-s', '8M', join(folder, 'a')])
      for (const format of ['gnu', 'posix']) {
        await exec('tar', [
          '--sparse',
          `--format=${format}`,
          '-C',
          folder,
          '-cf',
          join(folder, 'sparse.tar'),
          'a',
        ])
        expect(() => [...scanTar(join(folder, 'sparse.tar'))]).toThrow(/sparse|unknown type "S"/)
      }
      writeFileSync(join(folder, 'text.tar'), 'no archive '.repeat(100))
      expect(() => [...scanTar(join(folder, 'text.tar'))]).toThrow(/is damaged|not octal/)
      writeFileSync(join(folder, 'short.tar'), Buffer.alloc(100))
      expect(() => [...scanTar(join(folder, 'short.tar'))]).toThrow(/ends too early/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
