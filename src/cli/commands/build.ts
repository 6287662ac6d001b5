import { defineCommand } from '../command.ts'
import { fileFlag, switchFlag } from '../flags.ts'
import { findManifest, manifestMissing } from '../project.ts'
import { renderBuild } from '../render/build.ts'
import { watched } from '../run-deployment.ts'

export const buildCommand = defineCommand({
  name: 'build',
  summary: 'build what is needed and freeze the system into a release',
  description: 'The same system gives the same release: when nothing changed, no new one is made.',
  flags: {
    file: fileFlag,
    update: switchFlag('resolve packages and image tags anew and rewrite basalt.lock'),
    check: switchFlag('build each Dockerfile once more without caches, and grade it by what comes out'),
    log: switchFlag('print what the builds of Dockerfiles printed, also of those that are unchanged'),
  },
  args: {},
  examples: [
    { command: 'basalt build', does: 'freeze the system of this folder' },
    { command: 'basalt build --update', does: 'take the newest packages, and what tags mean now' },
    { command: 'basalt build --check', does: 'see whether Dockerfiles give the same bytes again' },
  ],
  schemas: ['basalt.build/v1'],
  async run({ flags }, context) {
    const file = findManifest(context.folder, flags.file)
    if (file === null) throw manifestMissing('there is no basalt.yaml here or in any folder above')
    const engine = await context.engine()
    const request = { file, update: flags.update, check: flags.check, log: flags.log }
    const built = await watched((notify) => engine.build(request, notify), 'building', context)
    const { output } = context
    await output.result(built, () => renderBuild(built, output.paint, { reasons: flags.check }))
  },
})
