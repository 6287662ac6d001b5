import { defineCommand } from '../command.ts'
import { formatDuration } from '../duration.ts'
import { fileFlag, switchFlag } from '../flags.ts'
import { findManifest, manifestMissing } from '../project.ts'
import { formatSize, shortDigest } from '../render/names.ts'
import { renderTable } from '../render/table.ts'
import { watched } from '../run-deployment.ts'

export const buildCommand = defineCommand({
  name: 'build',
  summary: 'build what is needed and freeze the system into a release',
  description: 'The same system gives the same release: when nothing changed, no new one is made.',
  flags: {
    file: fileFlag,
    update: switchFlag('resolve packages and image tags anew and rewrite basalt.lock'),
  },
  args: {},
  examples: [
    { command: 'basalt build', does: 'freeze the system of this folder' },
    { command: 'basalt build --update', does: 'take the newest packages, and what tags mean now' },
  ],
  schemas: ['basalt.build/v1'],
  async run({ flags }, context) {
    const file = findManifest(context.folder, flags.file)
    if (file === null) throw manifestMissing('there is no basalt.yaml here or in any folder above')
    const engine = await context.engine()
    const request = { file, update: flags.update }
    const built = await watched((notify) => engine.build(request, notify), 'building', context)
    const { paint } = context.output
    await context.output.result(built, () => {
      const rows = built.images.map((image) => [
        image.service,
        shortDigest(image.image),
        formatSize(image.sizeBytes),
        image.cached ? 'unchanged' : `built in ${formatDuration(image.durationMs)}`,
      ])
      const fact = built.created ? 'is a new release' : 'exists already: nothing changed'
      const dirty = built.dirty ? paint('yellow', ' (dirty: uncommitted changes)') : ''
      return [
        renderTable(['SERVICE', 'IMAGE', 'SIZE', 'BUILD'], rows),
        '',
        ...built.pins.map(({ reference, digest, previous }) => {
          const isMoved = previous !== null && previous !== digest
          return `${reference} → ${digest}${isMoved ? paint('yellow', ` (was ${previous})`) : ''}`
        }),
        ...(built.pins.length > 0 ? [''] : []),
        `${paint('bold', built.release.name)} ${fact}${dirty}, ${formatDuration(built.durationMs)}`,
        paint('dim', built.release.digest),
      ].join('\n')
    })
  },
})
