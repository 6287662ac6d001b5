import type { ImagePin } from '../build/image-resolver.ts'
import type { ServiceChange } from '../core/changes.ts'
import type { DeploymentId, Digest, EnvironmentId, GroupId, ImageDigest, InstanceId } from '../core/ids.ts'
import type { Op } from '../core/op.ts'
import type { Release, ReleaseName } from '../core/release.ts'
import type { TreeHead, VerifiedHead } from '../store/store.ts'
import type { LogLine, RequestFigures } from '../targets/target.ts'
import type { ServiceBuild } from './system-builder.ts'

/**
 * Everything a person or a pipeline can ask of Basalt; one file per verb implements it. The server exposes it
 * over HTTP, the CLI fills the same request types. Every result is plain JSON, except streams.
 */
export interface Engine {
  /** Builds what is needed and freezes. Rejects with `manifest.invalid`, `build.*`. Progress goes to `op.notify`. */
  build(request: BuildRequest, op: Op): Promise<BuildResult>
  plan(request: DeployRequest, op: Op): Promise<PlanResult>
  /** Records the deployment and starts it in the background; resolves with its id. `deployment.in-progress` unless `wait`. */
  deploy(request: DeployRequest, op: Op): Promise<DeploymentStarted>
  planRollback(request: RollbackRequest, op: Op): Promise<PlanResult>
  rollback(request: RollbackRequest, op: Op): Promise<DeploymentStarted>
  /** Stops everything of an environment, by replacement with the empty generation. Volumes stay. */
  down(request: DownRequest, op: Op): Promise<DeploymentStarted>
  /** Asks a running deployment to return to what served before. */
  abort(deployment: DeploymentId, actor: Actor, op: Op): Promise<void>
  /** The deployment's events, from its first one on, live until it ends. Ends after its outcome. */
  follow(deployment: DeploymentId, op: Op): AsyncIterable<DeploymentEvent>
  /** The outcome; waits until there is one. */
  outcome(deployment: DeploymentId, op: Op): Promise<DeploymentResult>
  status(request: StatusRequest, op: Op): Promise<StatusResult>
  history(request: HistoryRequest, op: Op): Promise<HistoryResult>
  releases(system: string | null, op: Op): Promise<ReleaseList>
  diff(request: DiffRequest, op: Op): Promise<DiffResult>
  logs(request: LogsRequest, op: Op): AsyncIterable<ServiceLogLine>
  /** A tar (OCI layout) of the release and everything reachable from it. */
  exportRelease(release: ReleaseRequest, op: Op): AsyncIterable<Uint8Array>
  importRelease(archive: AsyncIterable<Uint8Array>, actor: Actor, op: Op): Promise<ReleaseName>
  /** As `importRelease`, from a registry. Rejects with `registry.*`, `release.archive-invalid`. Progress: `op.notify`. */
  pullRelease(request: PullRequest, actor: Actor, op: Op): Promise<ReleaseName>
  /**
   * Takes in images that other tools made: the tar of an OCI image layout, or of `docker save`, gzip or not. Rejects
   * with `image.invalid`, also where none is for this machine.
   */
  importImages(archive: AsyncIterable<Uint8Array>, op: Op): Promise<readonly ImportedImage[]>
  /** Brings the image for this machine from a registry. Rejects with `registry.*`, `image.*`. Progress: `op.notify`. */
  pullImage(request: PullRequest, op: Op): Promise<PulledImage>
  /** Puts an image, or a release with all that it needs, into a registry, byte-exact. Rejects with `registry.*`. */
  pushImage(request: PushRequest, op: Op): Promise<PushedImage>
  /** Rejects with `ledger.tampered`. */
  verifyLedger(request: VerifyRequest, op: Op): Promise<VerifiedHead>
}

export interface VerifyRequest {
  /** A head that was kept elsewhere, which the ledger must continue; null: none was. */
  readonly from: TreeHead | null
}

/** Who asks, as the server found out (peer user of the socket), never as the client claims. */
export interface Actor {
  readonly name: string
}

export interface BuildRequest {
  /** Absolute path of basalt.yaml. */
  readonly file: string
  readonly actor: Actor
  /** Resolve packages and tags of images anew and rewrite basalt.lock. */
  readonly update: boolean
  /** Build each Dockerfile once more without caches, and grade it by what comes out. */
  readonly check: boolean
  /** Answer with what the builds of Dockerfiles printed. */
  readonly log: boolean
}

export interface BuildResult {
  readonly release: ReleaseName
  /** False when an identical release existed already. */
  readonly created: boolean
  readonly dirty: boolean
  readonly images: readonly ServiceBuild[]
  /** Which digests the images have that basalt.yaml names by tag. */
  readonly pins: readonly ImagePin[]
  readonly durationMs: number
}

export interface DeployRequest {
  /** Absolute path of basalt.yaml: gives the system, and the environment's binding. Null: what the server knows. */
  readonly file: string | null
  /** Needed where `file` is null. */
  readonly system: string | null
  /** Null: the only one, or the first of the manifest. */
  readonly environment: string | null
  /** `shop@7`, `@7`, `7`, a digest or a unique prefix of one; null: build from `file`. */
  readonly release: string | null
  /** Replace every group, also unchanged ones. */
  readonly all: boolean
  /** Wait for a running deployment instead of refusing. */
  readonly wait: boolean
  /** Limits the whole deployment; null: each group's own start limit. */
  readonly timeoutMs: number | null
  readonly reason: string | null
  readonly actor: Actor
}

export interface RollbackRequest {
  readonly file: string | null
  readonly system: string | null
  readonly environment: string | null
  /** Null: the last good generation before the serving one. */
  readonly to: string | null
  readonly wait: boolean
  readonly timeoutMs: number | null
  readonly reason: string | null
  readonly actor: Actor
}

export interface DownRequest {
  readonly file: string | null
  readonly system: string | null
  readonly environment: string | null
  readonly wait: boolean
  readonly actor: Actor
}

export interface PlanResult {
  readonly environment: EnvironmentId
  readonly from: ReleaseName | null
  readonly to: ReleaseName
  /** True when there is nothing to do. */
  readonly empty: boolean
  readonly changes: readonly ServiceChange[]
  readonly steps: readonly PlanStep[]
  /** What cannot be promised here: targets without a guarantee, stateful services that pause. */
  readonly warnings: readonly string[]
}

export interface PlanStep {
  readonly kind: 'start' | 'route' | 'drain' | 'stop'
  readonly service: string | null
  readonly group: GroupId | null
  readonly text: string
}

export interface DeploymentStarted {
  /** Null when there was nothing to do. */
  readonly deployment: DeploymentId | null
  readonly plan: PlanResult
}

export interface DeploymentEvent {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** `deployment.phase`, `group.starting`, `group.healthy`, `route.switched`, `group.stopped`, `deployment.ended`, … */
  readonly code: string
  readonly message: string
  readonly data?: Readonly<Record<string, unknown>>
}

/** Schema `basalt.deployment/v1`: what `-o json` prints for deploy, rollback and down. */
export interface DeploymentResult {
  readonly schema: 'basalt.deployment/v1'
  readonly deployment: DeploymentId
  readonly kind: 'deploy' | 'rollback' | 'down'
  readonly environment: EnvironmentId
  readonly release: { readonly name: string; readonly digest: Digest } | null
  readonly previous: { readonly name: string; readonly digest: Digest } | null
  readonly generation: number
  readonly outcome: 'succeeded' | 'failed' | 'aborted' | 'unchanged'
  readonly groups: {
    readonly started: readonly GroupId[]
    readonly kept: readonly GroupId[]
    readonly stopped: readonly GroupId[]
  }
  /** At the environment's entries while the deployment ran. */
  readonly requests: { readonly total: number; readonly failed: number }
  readonly durationMs: number
  /** From the decision to switch until every route was switched. */
  readonly switchMs: number | null
  readonly error: WireError | null
}

export interface WireError {
  readonly code: string
  readonly message: string
  readonly remedy: string | null
  readonly details: Readonly<Record<string, unknown>>
}

export interface StatusRequest {
  readonly system: string | null
  readonly environment: string | null
}

/** Schema `basalt.status/v1`. */
export interface StatusResult {
  readonly schema: 'basalt.status/v1'
  readonly environments: readonly EnvironmentStatus[]
}

export interface EnvironmentStatus {
  readonly name: EnvironmentId
  readonly target: string
  readonly state: 'serving' | 'degraded' | 'deploying' | 'down'
  readonly release: { readonly name: string; readonly digest: Digest } | null
  readonly generation: number | null
  /** `http://localhost:8080/`, `tcp://localhost:5432` */
  readonly endpoints: readonly string[]
  readonly services: readonly {
    readonly name: string
    readonly group: GroupId
    readonly image: ImageDigest
    readonly desired: number
    readonly healthy: number
    readonly problems: readonly string[]
    /** What came to this group from outside and from other services, since the router knows it. */
    readonly traffic: RequestFigures | null
  }[]
  /** What came to the environment from outside since the router started; null where it is not counted. */
  readonly traffic: RequestFigures | null
  /** The generation that a rollback switches to at once, and until when; null when none is warm. */
  readonly warm: { readonly generation: number; readonly release: string; readonly until: number } | null
  /** Differences between the generation and the truth, in words; empty: none seen. */
  readonly drift: readonly string[]
  /** The running deployment. */
  readonly deployment: DeploymentId | null
}

export interface HistoryRequest {
  readonly system: string | null
  readonly environment: string | null
  readonly limit: number
}

/** Schema `basalt.history/v1`; newest first. Refused attempts are in it too. */
export interface HistoryResult {
  readonly schema: 'basalt.history/v1'
  readonly attempts: readonly {
    readonly deployment: DeploymentId
    readonly environment: EnvironmentId
    readonly kind: 'deploy' | 'rollback' | 'down'
    readonly actor: string
    readonly reason: string | null
    readonly at: number
    readonly from: string | null
    readonly to: string | null
    readonly outcome: 'running' | 'succeeded' | 'failed' | 'aborted' | 'refused'
    readonly durationMs: number | null
    readonly error: WireError | null
  }[]
}

/** Schema `basalt.releases/v1`; newest first. */
export interface ReleaseList {
  readonly schema: 'basalt.releases/v1'
  readonly releases: readonly {
    readonly release: ReleaseName
    readonly at: number
    readonly actor: string
    readonly revision: string | null
    readonly dirty: boolean
    readonly environments: readonly EnvironmentId[]
  }[]
}

export interface ReleaseRequest {
  readonly system: string | null
  readonly release: string
}

export interface ImportedImage {
  /** What basalt.yaml names it by. */
  readonly image: ImageDigest
  /** What the archive calls it; null: nothing. */
  readonly name: string | null
  /** `linux/amd64` */
  readonly platform: string
  /** Of its layers, as they are stored. */
  readonly sizeBytes: number
}

export interface PullRequest {
  /** `nginx:1.25` */
  readonly reference: string
}

export interface PulledImage {
  /** In full: `docker.io/library/nginx:1.25`. */
  readonly reference: string
  /** What the reference means: the same as `image`, or an index of several platforms. */
  readonly digest: Digest
  readonly image: ImageDigest
  /** `linux/amd64` */
  readonly platform: string
  /** Of its layers, as they are stored. */
  readonly sizeBytes: number
  /** What was not there yet. */
  readonly fetchedBytes: number
}

export interface PushRequest {
  /** The digest of an image in the store; or a release, as `ReleaseRequest` names it. */
  readonly image: string
  readonly system: string | null
  readonly reference: string
}

export interface PushedImage {
  readonly reference: string
  readonly digest: Digest
  /** `shop@7`; null for an image. */
  readonly release: string | null
  /** How many blobs were there already, were taken over from another repository, or had to be sent. */
  readonly blobs: { readonly present: number; readonly mounted: number; readonly sent: number }
  readonly sentBytes: number
}

export interface DiffRequest {
  readonly system: string | null
  readonly from: string
  readonly to: string
}

/** Schema `basalt.diff/v1`. */
export interface DiffResult {
  readonly schema: 'basalt.diff/v1'
  readonly from: ReleaseName
  readonly to: ReleaseName
  /** Path in the release document ("services.web.run.env.LOG_LEVEL"), and both values (undefined: absent). */
  readonly changes: readonly { readonly path: string; readonly from?: unknown; readonly to?: unknown }[]
  readonly documents: { readonly from: Release; readonly to: Release }
}

export interface LogsRequest {
  readonly system: string | null
  readonly environment: string | null
  /** Null: all services. */
  readonly service: string | null
  readonly follow: boolean
  readonly tail: number | null
  /** Of each service the newest instance that is gone, in place of those that run. */
  readonly previous: boolean
}

export interface ServiceLogLine extends LogLine {
  readonly service: string
  readonly instance: InstanceId
}
