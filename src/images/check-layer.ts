import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import type { Op } from '../core/op.ts'
import { BasaltError } from '../errors.ts'
import { readLayer } from './layer-reader.ts'
import type { LayerFile } from './unpack-layer.ts'

/** For so long a check may hold the event loop. */
const sliceMs = 4

/**
 * Reads what a layer has, without unpacking it. Rejects with `image.invalid` what no root would take, so that an image
 * is refused when it comes in, not when it is to run.
 */
export async function checkLayer({ file, name }: LayerFile, op: Pick<Op, 'signal'>): Promise<void> {
  let sliceStart = performance.now()
  for (const _ of readLayer(file, name)) {
    if (performance.now() - sliceStart < sliceMs) continue
    await yieldToEventLoop()
    if (op.signal.aborted)
      throw new BasaltError('request.interrupted', { message: 'checking an image was interrupted' })
    sliceStart = performance.now()
  }
}
