import { open } from 'node:fs/promises'

const chunkBytes = 64 * 1024

/** The last lines of a file, read from its end; fewer where it is shorter, none where there is no file. */
export async function lastLines(path: string, count: number): Promise<readonly string[]> {
  const file = await open(path, 'r').catch(() => null)
  if (file === null || count <= 0) {
    await file?.close()
    return []
  }
  try {
    let { size: position } = await file.stat()
    let tail: Buffer = Buffer.alloc(0)
    while (position > 0 && newlines(tail) <= count) {
      const length = Math.min(chunkBytes, position)
      position -= length
      const chunk = Buffer.alloc(length)
      const { bytesRead } = await file.read(chunk, 0, length, position)
      tail = Buffer.concat([chunk.subarray(0, bytesRead), tail])
    }
    return linesOf(tail.toString()).slice(-count)
  } finally {
    await file.close()
  }
}

export const linesOf = (text: string): readonly string[] => {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
}

const newlines = (bytes: Buffer): number => {
  let count = 0
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count++
  return count
}
