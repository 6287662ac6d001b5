import { type Digest, isDigest } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import { formatReference, parseReference } from '../images/reference.ts'
import { systemFor } from './diff.ts'
import type { PulledImage, PullRequest, PushedImage, PushRequest } from './engine.ts'
import { findRelease } from './find-release.ts'
import type { FrozenRelease } from './ledger-view.ts'
import type { EnginePorts } from './ports.ts'

export async function pullImage(ports: EnginePorts, request: PullRequest, op: Op): Promise<PulledImage> {
  const reference = parseReference(request.reference)
  return { reference: formatReference(reference), ...(await ports.registries.pull(reference, op)) }
}

/** A release is pushed as the index that leads to all of it. */
export async function pushImage(ports: EnginePorts, request: PushRequest, op: Op): Promise<PushedImage> {
  const to = parseReference(request.reference)
  const release = releaseFor(ports, request)
  const digest = release === null ? (request.image as Digest) : release.artifact
  const pushed = await ports.registries.push(digest, to, op)
  return { reference: formatReference(to), digest, release: release?.release.name ?? null, ...pushed }
}

/** A whole digest is an image's unless a release has it. */
function releaseFor(ports: EnginePorts, { image, system }: PushRequest): FrozenRelease | null {
  if (isDigest(image)) {
    const releases = [...ports.journal.view.systems.values()].flatMap((state) => state.releases)
    return releases.find(({ release, artifact }) => release.digest === image || artifact === image) ?? null
  }
  const name = systemFor(ports, system, [image])
  return findRelease(name, ports.journal.system(name), image)
}
