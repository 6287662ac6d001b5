import { defineCommand } from '../command.ts'
import { required } from '../flags.ts'
import { formatSize } from '../render/names.ts'
import { watched } from '../run-deployment.ts'

export const imagePullCommand = defineCommand({
  name: 'image pull',
  summary: 'bring an image from a registry',
  description:
    'A build does it by itself for what basalt.yaml names. Every byte is checked against its digest; of an image for several platforms the one for this machine is taken. Credentials are those of `docker login` of the user that runs the server.',
  flags: {},
  args: { reference: required('what the registry calls it', 'none') },
  examples: [
    { command: 'basalt image pull nginx:1.25', does: 'from Docker Hub' },
    { command: 'basalt image pull registry.example.com/team/web:7', does: 'from another registry' },
  ],
  schemas: ['basalt.image-pulled/v1'],
  async run({ args: { reference } }, context) {
    const engine = await context.engine()
    const title = `pulling ${reference}`
    const pulled = await watched((notify) => engine.pullImage({ reference }, notify), title, context)
    const { paint } = context.output
    await context.output.result(pulled, () => {
      const { image, platform, sizeBytes, fetchedBytes } = pulled
      const fact =
        fetchedBytes === 0
          ? 'was there already'
          : `${formatSize(fetchedBytes)} of ${formatSize(sizeBytes)} fetched`
      return [
        `${paint('bold', pulled.reference)}, ${platform}, ${fact}; in basalt.yaml:`,
        `  image: ${image}`,
      ].join('\n')
    })
  },
})
