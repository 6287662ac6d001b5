import type { Digest } from '../../../core/ids.ts'
import type { Op } from '../../../core/op.ts'
import type { exec as realExec } from '../../../util/exec.ts'
import { onceSucceeded } from '../../../util/once-succeeded.ts'
import type { ImportedRelease } from '../../check-release.ts'
import type { ContentStore, Descriptor } from '../../content-store.ts'
import type { Platform } from '../../image.ts'
import { formatReference, type ImageReference } from '../../reference.ts'
import { openBlobOrigins } from './blob-origins.ts'
import { createDockerCredentials } from './docker-credentials.ts'
import { createEvidenceFolder } from './evidence.ts'
import { resolveManifest } from './fetch-manifest.ts'
import { createHttpTransport } from './http-transport.ts'
import { type PulledImage, pullImage } from './pull-image.ts'
import { pullRelease } from './pull-release.ts'
import { type Pushed, pushGraph } from './push-graph.ts'
import { openSession, type RegistrySession } from './registry-session.ts'
import { registryTrust } from './registry-trust.ts'

/**
 * Images from and to registries (OCI Distribution 1.1; Docker's too). All methods reject with `registry.*`,
 * `image.invalid` and `request.interrupted`; progress goes to `op.notify`.
 */
export interface RegistryClient {
  /** What a reference means now; an index stays one. Nothing is fetched but its headers, where the registry has them. */
  readonly resolve: (reference: ImageReference, op: Op) => Promise<Descriptor>
  /** Brings the image for a platform into the store. Also names it where all of it was there. */
  readonly pull: (reference: ImageReference, platform: Platform, op: Op) => Promise<PulledImage>
  /** Brings a release that was pushed into the store, with all that it needs. */
  readonly pullRelease: (reference: ImageReference, op: Op) => Promise<ImportedRelease>
  /** Puts an image, or an index with all that it leads to, under a tag or its digest. */
  readonly push: (digest: Digest, to: ImageReference, op: Op) => Promise<Pushed>
}

export interface RegistryClientPorts {
  readonly store: ContentStore
  /** Docker's config.json. */
  readonly dockerConfig: string
  /** With a folder for each registry, as Docker's `/etc/docker/certs.d`. */
  readonly certificatesFolder: string
  /** May be deleted at any time. */
  readonly originsFile: string
  /** HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE. */
  readonly environment: NodeJS.ProcessEnv
  readonly exec: typeof realExec
  /** Rejects when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export function createRegistryClient(ports: RegistryClientPorts): RegistryClient {
  const { store, sleep, now } = ports
  const credentials = createDockerCredentials(ports.dockerConfig, ports.exec)
  const openOrigins = onceSucceeded(() => openBlobOrigins(ports.originsFile))

  /** Connections and tokens live as long as one operation: what changes on disk counts for the next one. */
  const within = async <Result>(
    reference: ImageReference,
    op: Op,
    use: (session: RegistrySession) => Promise<Result>,
  ): Promise<Result> => {
    const { registry } = reference
    const trust = await registryTrust(registry, ports.certificatesFolder, ports.environment)
    const transport = createHttpTransport(trust, ports.environment)
    const sessionPorts = { transport, credentials, sleep, now }
    try {
      return await use(openSession(registry, formatReference(reference), sessionPorts, op))
    } finally {
      await transport.close()
    }
  }

  const note = async (reference: ImageReference, blobs: readonly Descriptor[]): Promise<void> => {
    const origins = await openOrigins()
    for (const { digest } of blobs) origins.note(reference.registry, reference.repository, digest)
    await origins.save()
  }

  return {
    resolve: (reference, op) =>
      within(reference, op, (session) =>
        resolveManifest(session, reference, createEvidenceFolder(store.folder).keepBytes),
      ),
    pull: (reference, platform, op) =>
      within(reference, op, async (session) => {
        const pulled = await pullImage(store, session, reference, platform, op)
        await note(reference, pulled.blobs)
        return pulled
      }),
    pullRelease: (reference, op) =>
      within(reference, op, async (session) => {
        const { blobs, ...pulled } = await pullRelease(store, session, reference, op)
        await note(reference, blobs)
        return pulled
      }),
    push: (digest, to, op) =>
      within(to, op, async (session) => {
        const origins = await openOrigins()
        const pushed = await pushGraph(store, session, digest, to, origins, op)
        await origins.save()
        return pushed
      }),
  }
}
