import { isDigest } from '../../core/ids.ts'
import { defineCommand } from '../command.ts'
import { fileFlag, required } from '../flags.ts'
import { scopeOf, systemOfRelease } from '../project.ts'
import { formatSize, plural } from '../render/names.ts'
import { watched } from '../run-deployment.ts'

export const imagePushCommand = defineCommand({
  name: 'image push',
  summary: 'put an image, or a release with all its images, into a registry',
  description:
    'Byte for byte as it is here, so that it has the same digest there; only blobs that are missing are sent. Credentials are those of `docker login` of the user that runs the server.',
  flags: { file: fileFlag },
  args: {
    image: required('the digest of an image, or a release such as `shop@7`', 'release'),
    reference: required('what the registry is to call it', 'none'),
  },
  examples: [
    { command: 'basalt image push shop@7 registry.example.com/team/shop:7', does: 'a release' },
    { command: 'basalt image push sha256:… registry.example.com/team/web:7', does: 'an image' },
  ],
  schemas: ['basalt.image-pushed/v1'],
  async run({ flags, args }, context) {
    const named = systemOfRelease(args.image)
    const { system } = await scopeOf(context.folder, flags, named !== null || isDigest(args.image))
    const engine = await context.engine()
    const request = { ...args, system: named ?? system }
    const title = `pushing ${args.reference}`
    const pushed = await watched((notify) => engine.pushImage(request, notify), title, context)
    const { paint } = context.output
    await context.output.result(pushed, () => {
      const { present, mounted, sent } = pushed.blobs
      const what = pushed.release === null ? '' : `${pushed.release} as `
      const parts = [
        `${plural(sent, 'blob')} sent, ${formatSize(pushed.sentBytes)}`,
        ...(mounted === 0 ? [] : [`${mounted} taken over from other repositories`]),
        `${present} there already`,
      ]
      return [
        `pushed ${what}${paint('bold', pushed.reference)}: ${parts.join(', ')}`,
        paint('dim', pushed.digest),
      ].join('\n')
    })
  },
})
