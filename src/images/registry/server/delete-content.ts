import { type Digest, isDigest } from '../../../core/ids.ts'
import { blobUnknown, findManifest, hasBlob } from './find-content.ts'
import { refusal } from './refusal.ts'
import type { RegistryParts } from './registry-parts.ts'

/*
 * Taking things out of a repository (distribution-spec, "Content Management"). The bytes stay in the content store.
 * What a release needs can be taken out of none, nor what another manifest of the repository leads to.
 */

/** A tag or a manifest; a manifest's tags go with it. */
export async function deleteManifest(
  parts: RegistryParts,
  repository: string,
  reference: string,
): Promise<void> {
  const { catalogue, now } = parts
  const { digest } = await findManifest(parts, repository, reference)
  await assertNoRelease(parts, repository, digest)
  if (!isDigest(reference)) return catalogue.deleteTag(repository, reference, now())
  await parts.changes(repository).run(async () => {
    assertUnused(parts, repository, digest)
    catalogue.deleteManifest(repository, digest, now())
  })
}

export async function deleteBlob(parts: RegistryParts, repository: string, digest: Digest): Promise<void> {
  if (!(await hasBlob(parts, repository, digest))) throw blobUnknown(repository, digest)
  await assertNoRelease(parts, repository, digest)
  await parts.changes(repository).run(async () => {
    assertUnused(parts, repository, digest)
    parts.catalogue.unlinkBlob(repository, digest)
  })
}

async function assertNoRelease(
  { releases }: RegistryParts,
  repository: string,
  digest: Digest,
): Promise<void> {
  const names = await releases.neededBy(digest)
  if (names.length === 0) return
  const [first, ...others] = names
  const more =
    others.length === 0 ? '' : ` and ${others.length} other ${others.length === 1 ? 'release' : 'releases'}`
  throw refusal('DENIED', `${repository} keeps ${digest}: the release ${first}${more} needs it`, {
    detail: { repository, digest, releases: names },
  })
}

function assertUnused({ catalogue }: RegistryParts, repository: string, digest: Digest): void {
  const [user] = catalogue.usersOf(repository, digest)
  if (user !== undefined)
    throw refusal(
      'DENIED',
      `${repository} keeps ${digest}: its manifest ${user} needs it; delete that one first`,
      {
        detail: { repository, digest, manifest: user },
      },
    )
}
