import { defineCommand } from '../command.ts'
import { fileFlag, required } from '../flags.ts'
import { runPush } from '../run-push.ts'

export const imagePushCommand = defineCommand({
  name: 'image push',
  summary: 'put an image, or a release with all its images, into a registry',
  description:
    'Byte for byte as it is here, so that it has the same digest there; only blobs that are missing are sent. Credentials are those of `docker login` of the user that runs the server.',
  flags: { file: fileFlag },
  args: {
    image: required('the digest of an image, or a release such as shop@7', 'release'),
    reference: required('what the registry is to call it', 'none'),
  },
  examples: [
    { command: 'basalt image push sha256:… registry.example.com/team/web:7', does: 'an image' },
    { command: 'basalt image push shop@7 registry.example.com/team/shop:7', does: 'a release' },
  ],
  schemas: ['basalt.image-pushed/v1'],
  run: ({ flags, args }, context) => runPush(args, flags, context),
})
