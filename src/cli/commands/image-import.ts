import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { openArchive, readableChunks } from '../archive-input.ts'
import { defineCommand } from '../command.ts'
import { required } from '../flags.ts'
import { packLayout } from '../pack-layout.ts'
import { formatSize } from '../render/names.ts'

const remedy =
  'Name a folder that `skopeo copy docker://NAME oci:FOLDER` wrote, or a file of `docker save`, that you may read.'

export const imageImportCommand = defineCommand({
  name: 'image import',
  summary: 'take in images that other tools made, for `image` and `base` in basalt.yaml',
  description:
    'From the folder of an OCI image layout, the tar of one, or what `docker save` writes; a tar may be compressed with gzip. Every digest is checked. Of an image for several platforms the one for this machine is taken. `-` reads the standard input.',
  flags: {},
  args: { source: required('the folder or the archive', 'file') },
  examples: [
    {
      command: 'skopeo copy docker://docker.io/library/nginx:1.27 oci:nginx && basalt image import nginx',
      does: 'from a registry',
    },
    { command: 'docker save my-app | basalt image import -', does: 'from Docker' },
  ],
  schemas: ['basalt.image-imported/v1'],
  async run({ args }, context) {
    const path = args.source === '-' ? null : resolve(context.folder, args.source)
    const content = path === null ? process.stdin : await open(path)
    try {
      const engine = await context.engine()
      const imported = await engine.importImages(Readable.from(readableChunks(content, path, remedy)))
      const { paint } = context.output
      await context.output.result(imported, () =>
        imported.images
          .flatMap(({ image, name, platform, sizeBytes }) => [
            `imported ${name === null ? '' : `${paint('bold', name)}, `}${platform}, ${formatSize(sizeBytes)}; in basalt.yaml:`,
            `  image: ${image}`,
          ])
          .join('\n'),
      )
    } finally {
      // An archive that was refused may have no end yet.
      content.destroy()
    }
  },
})

async function open(path: string): Promise<Readable> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return Readable.from(packLayout(path, remedy))
  return openArchive(path, remedy)
}
