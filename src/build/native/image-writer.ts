import { canonicalJson } from '../../core/digest.ts'
import type { ImageDigest } from '../../core/ids.ts'
import type { ContentStore } from '../../images/content-store.ts'
import { mediaTypes } from '../../images/descriptor.ts'
import type { BuiltImage } from '../builder.ts'
import { inPart } from '../recipe-part.ts'
import { attach, describe } from '../referrer.ts'
import { assertEntrypoint, assertUser } from './entrypoint.ts'
import { type ImageLayer, imageConfig, processSettings } from './image-config.ts'
import type { ImageParts } from './image-parts.ts'
import { stackLayers } from './image-paths.ts'
import type { Layer } from './layer-cache.ts'
import { provenance } from './provenance.ts'
import { softwareBill } from './software-bill.ts'

/**
 * Checks and writes configuration, manifest, SBOM and provenance. The manifest is listed last: an image that is listed
 * is complete. All are written each time, as a put costs little where the blob is right, and mends it where it is not.
 * That also makes what is attached independent of who comes first: every way in which an image was built is attached.
 */
export async function writeImage(parts: ImageParts, store: ContentStore): Promise<BuiltImage> {
  const settings = processSettings(parts.recipe, parts.base?.config ?? null)
  const layers = [...(parts.base?.layers ?? []), ...parts.layers.map(imageLayer)]
  const created = rfc3339(parts.context.sourceTime)
  const config = bytesOf(
    imageConfig({
      architecture: parts.architecture,
      created,
      base: parts.base?.config ?? null,
      settings,
      diffIds: layers.map((layer) => layer.diffId),
      createdBy: parts.layers.map((layer) => layer.createdBy),
    }),
  )
  const manifest = bytesOf({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: describe(mediaTypes.config, config),
    layers: layers.map((layer) => layer.descriptor),
    annotations: annotationsOf(parts, created),
  })
  const subject = describe(mediaTypes.manifest, manifest)
  const built: BuiltImage = {
    image: subject.digest,
    cached: parts.layers.every((layer) => layer.cached),
    sizeBytes: layers.reduce(
      (sum, layer) => sum + layer.descriptor.size,
      config.byteLength + manifest.byteLength,
    ),
  }
  if (!(await isListed(subject.digest, store))) {
    const paths = stackLayers(layers.map((layer) => layer.paths))
    await inPart(['entrypoint'], () => assertEntrypoint(parts.context.service, settings, paths))
    await inPart(['user'], () => assertUser(parts.context.service, settings.user, paths))
  }
  await Promise.all([
    store.put(config),
    store.put(manifest),
    attach(subject, softwareBill(parts, subject.digest, created), store, created),
    attach(subject, provenance(parts, subject.digest), store, created),
  ])
  await store.refer(subject)
  return built
}

const isListed = async (image: ImageDigest, store: ContentStore): Promise<boolean> =>
  (await store.references()).some((reference) => reference.digest === image)

const imageLayer = (layer: Layer): ImageLayer => ({
  descriptor: { mediaType: mediaTypes.layerTar, digest: layer.digest, size: layer.sizeBytes },
  diffId: layer.digest,
  paths: layer.paths,
})

/** Only what follows from the inputs: no folder, no host, no revision, so that equal images stay equal. */
function annotationsOf({ recipe, builder }: ImageParts, created: string): Record<string, string> {
  const base =
    recipe.base.kind === 'image' ? { 'org.opencontainers.image.base.digest': recipe.base.digest } : {}
  return {
    'org.opencontainers.image.created': created,
    ...base,
    'org.basalt.builder': `${builder.name}/${builder.version}`,
  }
}

const bytesOf = (document: unknown): Buffer => Buffer.from(canonicalJson(document))

/** Without a fraction, as the times are whole seconds. */
const rfc3339 = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
