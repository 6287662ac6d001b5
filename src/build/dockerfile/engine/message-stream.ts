import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import * as z from 'zod'

const messageSchema = z.looseObject({
  stream: z.string().optional(),
  status: z.string().optional(),
  id: z.string().optional(),
  progress: z.string().optional(),
  aux: z.unknown().optional(),
  error: z.string().optional(),
  errorDetail: z.looseObject({ message: z.string().optional(), code: z.number().optional() }).optional(),
})

export type EngineMessage = z.infer<typeof messageSchema>

const imageIdSchema = z.looseObject({ ID: z.string().regex(/^sha256:[0-9a-f]{64}$/) })

/** What the Engine says while it builds: a JSON object on each line (moby, pkg/jsonmessage). */
export async function* readMessages(answer: Readable): AsyncGenerator<EngineMessage> {
  for await (const line of createInterface({ input: answer, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() === '') continue
    const message = messageSchema.safeParse(JSON.parse(line))
    if (message.success) yield message.data
  }
}

/** The id of the image that was made, where a message tells it. */
export const imageIdIn = ({ aux }: EngineMessage): string | null =>
  imageIdSchema.safeParse(aux).data?.ID ?? null
