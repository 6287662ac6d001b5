import { defineCommand } from '../command.ts'
import { fileFlag, required } from '../flags.ts'
import { runPush } from '../run-push.ts'

export const releasePushCommand = defineCommand({
  name: 'release push',
  summary: 'put a release with all its images into a registry',
  description:
    'As an OCI index, byte for byte, so that all digests are the same there; only blobs that are missing are sent. Credentials are those of `docker login` of the user that runs the server.',
  flags: { file: fileFlag },
  args: {
    release: required('shop@7, 7, or a digest', 'release'),
    reference: required('what the registry is to call it', 'none'),
  },
  examples: [
    {
      command: 'basalt release push shop@7 registry.example.com/team/shop:7',
      does: 'for `release pull` elsewhere',
    },
  ],
  schemas: ['basalt.image-pushed/v1'],
  run: ({ flags, args: { release, reference } }, context) =>
    runPush({ image: release, reference }, flags, context),
})
