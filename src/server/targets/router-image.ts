import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import type { ImageDigest } from '../../core/ids.ts'
import type { NativeRecipe } from '../../core/system.ts'
import type { ContentStore } from '../../images/content-store.ts'
import { digestSchema } from '../../images/descriptor.ts'
import { loadImage } from '../../images/image.ts'
import { writeFileAtomic } from '../../util/atomic-write.ts'

/** The router as an image: Debian's HAProxy, and nothing that is not needed to run it. */
export const routerRecipe: NativeRecipe = {
  base: { kind: 'debian', suite: 'bookworm' },
  packages: ['haproxy'],
  copy: [],
  env: {},
  workdir: '/',
  entrypoint: ['/usr/sbin/haproxy'],
  user: null,
  labels: { 'org.opencontainers.image.title': "Basalt's router" },
}

const recordSchema = z.object({ image: digestSchema })

/**
 * The router's image of a home: built once, and then the same for good, so that it can be started without a network.
 *
 * @param recordFile where its digest is kept
 */
export async function routerImage(
  store: ContentStore,
  recordFile: string,
  build: () => Promise<ImageDigest>,
): Promise<ImageDigest> {
  const recorded = await readRecord(recordFile)
  if (recorded !== null && (await isThere(store, recorded))) return recorded
  const image = await build()
  await writeFileAtomic(recordFile, `${JSON.stringify({ image })}\n`, { mode: 0o600 })
  return image
}

async function readRecord(file: string): Promise<ImageDigest | null> {
  const text = await readFile(file, 'utf8').catch(() => null)
  return text === null ? null : recordSchema.parse(JSON.parse(text)).image
}

const isThere = (store: ContentStore, image: ImageDigest): Promise<boolean> =>
  loadImage(store, image).then(
    () => true,
    () => false,
  )
