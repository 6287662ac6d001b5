import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lastLines } from './log-tail.ts'
import { readLog } from './read-log.ts'
import { pruneLogs, rotatedLog, rotateLog } from './rotate-log.ts'

describe('logs', () => {
  let folder: string
  let path: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'basalt-log-'))
    path = join(folder, 'a.log')
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const never = new AbortController().signal
  const read = async (options: { follow?: boolean; tail?: number | null; isOpen?: () => boolean } = {}) => {
    const lines: string[] = []
    const source = { path, isOpen: options.isOpen ?? (() => false) }
    for await (const { text } of readLog(
      source,
      { follow: options.follow ?? false, tail: options.tail ?? null },
      never,
    ))
      lines.push(text)
    return lines
  }

  it('reads everything, the rotated part first', async () => {
    await writeFile(rotatedLog(path), 'one\n')
    await writeFile(path, 'two\r\nthree')
    expect(await read()).toEqual(['one', 'two', 'three'])
    expect(await read({ tail: 2 })).toEqual(['two', 'three'])
    expect(await read({ tail: 0 })).toEqual([])
  })

  it('is empty where nothing was written', async () => {
    expect(await read()).toEqual([])
  })

  it('follows until the instance has ended, through a rotation', async () => {
    await writeFile(path, 'one\nhalf')
    let open = true
    const following = read({ follow: true, isOpen: () => open })
    await appendFile(path, ' a line\n')
    await new Promise((resolve) => setTimeout(resolve, 250))
    await rotateLog(path, 16)
    await new Promise((resolve) => setTimeout(resolve, 250))
    await appendFile(path, 'after\nno newline')
    open = false
    expect(await following).toEqual(['one', 'half a line', 'after', 'no newline'])
  })

  it('keeps one old file and cuts the log in place', async () => {
    await writeFile(path, `${'x'.repeat(90)}${'y'.repeat(10)}`)
    const { ino } = await stat(path)
    await rotateLog(path, 100)
    expect((await stat(path)).size).toBe(100)
    await rotateLog(path, 99)
    expect((await stat(path)).size).toBe(0)
    expect((await stat(path)).ino).toBe(ino)
    expect(await readFile(rotatedLog(path), 'utf8')).toBe(`${'x'.repeat(89)}${'y'.repeat(10)}`)
  })

  it('finds the last lines of a long file', async () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index}`)
    await writeFile(path, `${lines.join('\n')}\n`)
    expect(await lastLines(path, 3)).toEqual(lines.slice(-3))
    expect(await lastLines(path, 30_000)).toEqual(lines)
    expect(await lastLines(join(folder, 'absent'), 3)).toEqual([])
  })

  it('prunes the oldest logs of instances that are gone', async () => {
    for (const name of ['a', 'b', 'c']) {
      await writeFile(join(folder, `${name}.log`), name)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await pruneLogs(folder, new Set([path]), 1)
    const left = async (name: string) =>
      stat(join(folder, `${name}.log`)).then(
        () => true,
        () => false,
      )
    expect([await left('a'), await left('b'), await left('c')]).toEqual([true, false, true])
  })
})
