import type { Digest } from '../../core/ids.ts'
import type { Op } from '../../core/op.ts'
import type { DockerfileRecipe } from '../../core/system.ts'
import type { FindLogin } from '../builder.ts'
import type { BuildLog } from './build-log.ts'
import type { BuildFiles } from './context/build-context.ts'
import type { Dockerfile, ImagePlace } from './parse/parse-dockerfile.ts'

export const backendNames = ['buildkit', 'classic', 'buildah'] as const
export type BackendName = (typeof backendNames)[number]

/** A program of the machine that builds Dockerfiles. */
export interface Backend {
  readonly name: BackendName
  /** Of the program: `20.10.24+dfsg1`. */
  readonly version: string
  /** An image that it has itself; null: it has none of that name, digest or id. */
  findLocal(reference: string, op: Abort): Promise<LocalImage | null>
  /**
   * Builds. Output goes to `work.log`. Rejects with `build.step-failed` and `build.dockerfile-invalid` where the
   * Dockerfile is at fault, `host.disk-full`, `docker.*`, `build.failed`.
   */
  build(work: BackendWork, op: Op): Promise<MadeImage>
}

type Abort = Pick<Op, 'signal'>

export interface LocalImage {
  /** Digest of its configuration; in Engines with containerd's store, of its manifest. */
  readonly id: Digest
  /** `nginx@sha256:…`, as registries know it; empty for what was made on this machine. */
  readonly repoDigests: readonly string[]
}

export interface BackendWork {
  readonly service: string
  readonly recipe: DockerfileRecipe
  readonly files: BuildFiles
  readonly dockerfile: Dockerfile
  /** Places in the Dockerfile and what stands for them. */
  readonly bases: readonly PinnedPlace[]
  /** Seconds since the epoch: of every file of the context, and SOURCE_DATE_EPOCH. */
  readonly sourceTime: number
  /** Nothing that was built before is used again. */
  readonly noCache: boolean
  /** The bytes of each secret by its id, read when a step asks for them. */
  readonly secrets: ReadonlyMap<string, () => Promise<Buffer>>
  /** For the registries that bases come from. */
  readonly findLogin: FindLogin
  /** What it left of the last build of this service, to be removed when it is replaced; null: nothing. */
  readonly superseded: string | null
  readonly log: BuildLog
}

export interface PinnedPlace extends ImagePlace {
  readonly digest: Digest
  /** Only this machine has it: the digest is the id of an image here, and no registry's. */
  readonly onlyHere: boolean
}

export interface MadeImage {
  /** Digest of the configuration, or of the manifest, as the program says. */
  readonly id: Digest
  /** An archive of `docker save` or an OCI layout in a tar. */
  archive(op: Abort): Promise<AsyncIterable<Uint8Array>>
  /**
   * Removes what the build left behind. What the program needs to build fast the next time stays; resolves with the id
   * of what is left, to be removed when the next build replaces it.
   */
  tidy(options: { readonly everything: boolean }, op: Abort): Promise<string | null>
}

/** Variables that every build is given. */
export const buildArguments = ({ recipe, sourceTime }: Pick<BackendWork, 'recipe' | 'sourceTime'>) => ({
  SOURCE_DATE_EPOCH: String(sourceTime),
  ...recipe.args,
})
