import { describe, expect, it } from 'vitest'
import { logLines } from './log-frames.ts'

const frame = (stream: number, entry: string): Buffer => {
  const content = Buffer.from(entry)
  const header = Buffer.alloc(8)
  header[0] = stream
  header.writeUInt32BE(content.length, 4)
  return Buffer.concat([header, content])
}
const [first, second] = ['2026-01-02T03:04:05.006Z', '2026-01-02T03:04:05.007000001Z']
const at = Date.parse(first)

async function read(bytes: Buffer, chunkBytes: number): Promise<unknown> {
  async function* chunks() {
    for (let from = 0; from < bytes.length; from += chunkBytes) yield bytes.subarray(from, from + chunkBytes)
  }
  const lines: unknown[] = []
  for await (const line of logLines(chunks())) lines.push(line)
  return lines
}

describe('the output of a container, as the Engine sends it', () => {
  const bytes = Buffer.concat([
    frame(1, `${first} one\n`),
    frame(2, `${second} two 2 ü\r\n`),
    frame(1, `${first} a long`),
    frame(2, `${second} between\n`),
    frame(1, `${second}  line\n`),
    frame(1, `${first} \n`),
    frame(1, `${first} without an end`),
  ])

  it.each([1, 3, 8, 1000])('is read in lines, however it is cut: %i bytes at a time', async (chunkBytes) => {
    expect(await read(bytes, chunkBytes)).toEqual([
      { at, text: 'one' },
      { at: at + 1, text: 'two 2 ü' },
      { at: at + 1, text: 'between' },
      { at, text: 'a long line' },
      { at, text: '' },
      { at, text: 'without an end' },
    ])
  })
})
