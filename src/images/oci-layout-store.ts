import { createReadStream } from 'node:fs'
import { access, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { digestOfBytes } from '../core/digest.ts'
import { BasaltError } from '../errors.ts'
import { syncFolder, writeFileAtomic } from '../util/atomic-write.ts'
import { diskError } from '../util/disk-error.ts'
import { digestOfFile } from '../util/file-digest.ts'
import { removeLeftovers } from '../util/remove-leftovers.ts'
import { temporaryName } from '../util/temporary-name.ts'
import { createBlobFolder } from './blob-folder.ts'
import type { ContentStore } from './content-store.ts'
import { moveAside } from './corrupt-blob.ts'
import { createLayoutIndex, encodeLayoutIndex } from './layout-index.ts'

const layoutVersion = '1.0.0'

/**
 * Opens, and makes where it is missing, an OCI image layout. Blobs of a put in progress lie in `ingest/`,
 * named by the process that writes them; those of dead processes are removed here.
 */
export async function openContentStore(folder: string): Promise<ContentStore> {
  const root = resolve(folder)
  await prepareLayout(root)
  return createContentStore(root)
}

export const ingestFolder = (layoutFolder: string): string => join(layoutFolder, 'ingest')

/** A name in `ingest/` that no other put uses and that tells whose it is. */
export const ingestPath = (layoutFolder: string): string => join(ingestFolder(layoutFolder), temporaryName())

function createContentStore(folder: string): ContentStore {
  const blobs = createBlobFolder(join(folder, 'blobs/sha256'), () => ingestPath(folder))
  const index = createLayoutIndex(folder)
  return {
    folder,
    ...blobs,
    async verify(digest) {
      await blobs.size(digest)
      if ((await digestOfFile(blobs.path(digest))) !== digest)
        await moveAside(folder, blobs.path(digest), digest)
    },
    async read(digest) {
      await blobs.size(digest)
      const bytes = await readFile(blobs.path(digest))
      if (digestOfBytes(bytes) !== digest) return moveAside(folder, blobs.path(digest), digest)
      return bytes
    },
    async open(digest) {
      await blobs.size(digest)
      return createReadStream(blobs.path(digest))
    },
    references: () => index.read(),
    refer: (descriptor) => index.put(descriptor),
  }
}

async function prepareLayout(folder: string): Promise<void> {
  try {
    await mkdir(join(folder, 'blobs/sha256'), { recursive: true })
    await mkdir(ingestFolder(folder), { recursive: true })
    await tidy(folder)
    await writeUnlessPresent(
      join(folder, 'oci-layout'),
      JSON.stringify({ imageLayoutVersion: layoutVersion }),
    )
    await writeUnlessPresent(join(folder, 'index.json'), encodeLayoutIndex([]))
    // Whatever an earlier process renamed without living to fsync the folder is durable from here on.
    await syncFolder(join(folder, 'blobs/sha256'))
  } catch (cause) {
    throw diskError(folder, cause)
  }
  await assertLayoutVersion(join(folder, 'oci-layout'))
}

async function tidy(folder: string): Promise<void> {
  await removeLeftovers(ingestFolder(folder))
  // Only one process writes a layout's own two files, so what is half written was left by an earlier one.
  for (const name of await readdir(folder))
    if (/^\.(?:index\.json|oci-layout)\..*\.tmp$/.test(name)) await rm(join(folder, name), { force: true })
}

async function writeUnlessPresent(path: string, text: string): Promise<void> {
  const present = await access(path).then(
    () => true,
    () => false,
  )
  if (!present) await writeFileAtomic(path, text)
}

async function assertLayoutVersion(path: string): Promise<void> {
  const text = await readFile(path, 'utf8')
  if (text.includes(`"${layoutVersion}"`)) return
  throw new BasaltError('host.home-invalid', {
    message: `${path} is not that of an OCI image layout ${layoutVersion}: ${text.slice(0, 200)}`,
    remedy: 'Point BASALT_HOME to another folder.',
  })
}
