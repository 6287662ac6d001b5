import { open } from 'node:fs/promises'
import * as z from 'zod'
import { canonicalJson } from '../core/digest.ts'
import type { ContentStore, Descriptor, StoredBlob } from './content-store.ts'
import { mediaTypes } from './descriptor.ts'
import { parse, readJson } from './image.ts'
import { archiveInvalid } from './image-archive.ts'
import type { ArchivedImage } from './layout-images.ts'

/** manifest.json of `docker save`; docs of moby, image/spec/v1.2.md, "Combined Image JSON + Filesystem Changeset Format". */
const savedSchema = z.array(
  z.looseObject({
    Config: z.string(),
    RepoTags: z.array(z.string()).nullish(),
    Layers: z.array(z.string()).nullish(),
  }),
)

/**
 * The images of an archive that `docker save` wrote before Docker 25, or another tool in its form. It has no
 * manifests in the sense of OCI: one is made for each image, the same for the same configuration and layers.
 */
export async function dockerImages(
  staging: ContentStore,
  manifestJson: StoredBlob,
  files: ReadonlyMap<string, StoredBlob>,
): Promise<readonly ArchivedImage[]> {
  const saved = parse(savedSchema, await readJson(staging, manifestJson.digest), manifestJson.digest)
  if (saved.length === 0) throw archiveInvalid('its manifest.json lists no image')
  const fileOf = (path: string): StoredBlob => {
    const file = files.get(path)
    if (file === undefined) throw archiveInvalid(`it lacks ${path}`)
    return file
  }
  return Promise.all(
    saved.map(async ({ Config: config, RepoTags: tags, Layers: layers }) => {
      const manifest = {
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: descriptorOf(mediaTypes.config, namedFile(config, fileOf(config))),
        layers: await Promise.all((layers ?? []).map((path) => layerOf(staging, fileOf(path)))),
      }
      const blob = await staging.put(Buffer.from(canonicalJson(manifest)))
      return { manifest: descriptorOf(mediaTypes.manifest, blob), name: tags?.[0] ?? null }
    }),
  )
}

const descriptorOf = (mediaType: string, { digest, sizeBytes }: StoredBlob): Descriptor => ({
  mediaType,
  digest,
  size: sizeBytes,
})

/** A configuration is named by its digest. */
function namedFile(path: string, file: StoredBlob): StoredBlob {
  const hex = /^([0-9a-f]{64})\.json$/.exec(path)?.[1]
  if (hex === undefined || file.digest === `sha256:${hex}`) return file
  throw archiveInvalid(`its ${path} is ${file.digest}`)
}

/** Docker stores them as they are; other tools compress them. */
async function layerOf(staging: ContentStore, blob: StoredBlob): Promise<Descriptor> {
  const file = await open(staging.path(blob.digest))
  try {
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0)
    const isGzip = buffer[0] === 0x1f && buffer[1] === 0x8b
    return descriptorOf(isGzip ? mediaTypes.layerTarGzip : mediaTypes.layerTar, blob)
  } finally {
    await file.close()
  }
}
