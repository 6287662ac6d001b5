import { isDigest } from '../core/ids.ts'
import { BasaltError } from '../errors.ts'
import type { Context } from './context.ts'
import { type ScopeFlags, scopeOf, systemOfRelease } from './project.ts'
import { formatSize, plural } from './render/names.ts'
import { watched } from './run-deployment.ts'

/** What `image push` and `release push` have in common. */
export async function runPush(
  what: { readonly image: string; readonly reference: string },
  flags: ScopeFlags,
  context: Context,
): Promise<void> {
  if (what.image.startsWith('sha256:') && !isDigest(what.image)) throw cutDigest(what.image)
  const named = systemOfRelease(what.image)
  const { system } = await scopeOf(context.folder, flags, named !== null || isDigest(what.image))
  const engine = await context.engine()
  const request = { ...what, system: named ?? system }
  const title = `pushing ${what.reference}`
  const pushed = await watched((notify) => engine.pushImage(request, notify), title, context)
  const { paint } = context.output
  await context.output.result(pushed, () => {
    const { present, mounted, sent } = pushed.blobs
    const release = pushed.release === null ? '' : `${pushed.release} as `
    const parts = [
      `${plural(sent, 'blob')} sent, ${formatSize(pushed.sentBytes)}`,
      ...(mounted === 0 ? [] : [`${mounted} taken over from other repositories`]),
      `${present} there already`,
    ]
    return [
      `pushed ${release}${paint('bold', pushed.reference)}: ${parts.join(', ')}`,
      paint('dim', pushed.digest),
    ].join('\n')
  })
}

/** As tables show them: the first digits only. */
const cutDigest = (text: string): BasaltError =>
  new BasaltError('request.invalid', {
    message: `${text} is not a whole digest: it needs 64 digits after sha256:`,
    remedy:
      'Take it from `basalt status -o json`, or push a whole release: basalt release push <release> <reference>',
    details: { image: text },
  })
