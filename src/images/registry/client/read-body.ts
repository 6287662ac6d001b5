import type { HttpAnswer } from './http-transport.ts'

/** The whole body; null where it has more than `limitBytes`, of which no more is then read. */
export async function readBody({ body }: HttpAnswer, limitBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of body) {
    sizeBytes += (chunk as Buffer).byteLength
    if (sizeBytes > limitBytes) return null
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

/** What a server says beside a status: nobody needs more of it. */
const remarkBytes = 64 * 1024

/** Reads a short body, so that its connection can be used again. Never rejects. */
export const readRemark = (answer: HttpAnswer): Promise<Buffer> =>
  readBody(answer, remarkBytes).then(
    (bytes) => bytes ?? Buffer.alloc(0),
    () => Buffer.alloc(0),
  )
