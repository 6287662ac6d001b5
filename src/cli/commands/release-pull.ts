import { defineCommand } from '../command.ts'
import { required } from '../flags.ts'
import { watched } from '../run-deployment.ts'

export const releasePullCommand = defineCommand({
  name: 'release pull',
  summary: 'bring a release with all its images from a registry',
  description:
    'As `release import`, for what `release push` put there. Every byte is checked against its digest. Credentials are those of `docker login` of the user that runs the server.',
  flags: {},
  args: { reference: required('what the registry calls it', 'none') },
  examples: [
    { command: 'basalt release pull registry.example.com/team/shop:7', does: 'make it deployable here' },
  ],
  schemas: ['basalt.release-imported/v1'],
  async run({ args: { reference } }, context) {
    const engine = await context.engine()
    const title = `pulling ${reference}`
    const pulled = await watched((notify) => engine.pullRelease({ reference }, notify), title, context)
    const { output } = context
    const { name, digest } = pulled.release
    await output.result(pulled, () => `pulled ${output.paint('bold', name)} ${digest}`)
    if (output.format === 'table')
      output.note('The number is given by this server; the digest is the same everywhere.')
  },
})
