import { relative } from 'node:path'
import { isDockerfile } from '../../config/implied-names.ts'
import { defineCommand } from '../command.ts'
import { fileFlag } from '../flags.ts'
import { findManifest, manifestMissing } from '../project.ts'
import { plural } from '../render/names.ts'

export const validateCommand = defineCommand({
  name: 'validate',
  summary: 'check basalt.yaml, without a server',
  description: 'Reports every mistake at once, with its line, its column and what to write instead.',
  flags: { file: fileFlag },
  args: {},
  examples: [{ command: 'basalt validate', does: 'check the basalt.yaml of this folder' }],
  schemas: ['basalt.validate/v1'],
  async run({ flags }, context) {
    const file = findManifest(context.folder, flags.file)
    if (file === null || isDockerfile(file))
      throw manifestMissing('there is no basalt.yaml here or in any folder above')
    const { loadManifest } = await import('../../config/load-manifest.ts')
    const { system } = await loadManifest(file)
    const services = Object.keys(system.services)
    const environments = Object.keys(system.environments)
    const document = { schema: 'basalt.validate/v1', file, system: system.name, services, environments }
    await context.output.result(
      document,
      () =>
        `${relative(context.folder, file) || file} is valid: system ${system.name}, ` +
        `${plural(services.length, 'service')} (${services.join(', ')}), ` +
        `${plural(environments.length, 'environment')} (${environments.join(', ')})`,
    )
  },
})
