import type { Readable } from 'node:stream'
import type { DeploymentId } from '../../core/ids.ts'
import type { ProgressEvent } from '../../core/op.ts'
import type { ReleaseName } from '../../core/release.ts'
import type {
  Actor,
  BuildRequest,
  BuildResult,
  DeploymentEvent,
  DeploymentResult,
  DeploymentStarted,
  DeployRequest,
  DiffRequest,
  DiffResult,
  DownRequest,
  HistoryRequest,
  HistoryResult,
  ImportedImage,
  LogsRequest,
  PlanResult,
  PulledImage,
  PullRequest,
  PushedImage,
  PushRequest,
  ReleaseList,
  ReleaseRequest,
  RollbackRequest,
  ServiceLogLine,
  StatusRequest,
  StatusResult,
  VerifyRequest,
} from '../../engine/engine.ts'
import type { RegistrySettings } from '../../images/registry/server/registry-settings.ts'
import type { Scope } from '../../images/registry/server/scope.ts'
import { type Health, tarType } from '../../server/protocol.ts'
import type { RegistryDocument, RegistryToken, RegistryTokens } from '../../server/registry-routes.ts'
import type { VerifiedHead } from '../../store/store.ts'
import type { Connection } from './connection.ts'

type WithoutActor<Request extends { readonly actor: Actor }> = Omit<Request, 'actor'>
/** Every document has the name of its schema with it. */
type Document<Result> = Result & { readonly schema: string }
type Notify = (event: ProgressEvent) => void

/** The verbs of the engine, asked of the server. Requests are the engine's own; the server adds who asks. */
export class RemoteEngine {
  readonly #connection: Connection
  readonly #signal: AbortSignal

  constructor(connection: Connection, signal: AbortSignal) {
    this.#connection = connection
    this.#signal = signal
  }

  health(): Promise<Health> {
    return this.#get('/health', {})
  }

  build(request: WithoutActor<BuildRequest>, notify: Notify): Promise<Document<BuildResult>> {
    return this.#progress('/build', request, notify)
  }

  plan(request: WithoutActor<DeployRequest>, notify: Notify): Promise<Document<PlanResult>> {
    return this.#progress('/plan', request, notify)
  }

  deploy(request: WithoutActor<DeployRequest>, notify: Notify): Promise<Document<DeploymentStarted>> {
    return this.#progress('/deploy', request, notify)
  }

  planRollback(request: WithoutActor<RollbackRequest>, notify: Notify): Promise<Document<PlanResult>> {
    return this.#progress('/rollback/plan', request, notify)
  }

  rollback(request: WithoutActor<RollbackRequest>, notify: Notify): Promise<Document<DeploymentStarted>> {
    return this.#progress('/rollback', request, notify)
  }

  down(request: WithoutActor<DownRequest>, notify: Notify): Promise<Document<DeploymentStarted>> {
    return this.#progress('/down', request, notify)
  }

  abort(deployment: string): Promise<Document<{ readonly deployment: DeploymentId }>> {
    return this.#connection.json({
      method: 'POST',
      path: `/deployments/${encodeURIComponent(deployment)}/abort`,
      signal: this.#signal,
    })
  }

  follow(deployment: string): AsyncIterable<DeploymentEvent> {
    const path = `/deployments/${encodeURIComponent(deployment)}/events`
    return this.#connection.items({ method: 'GET', path, signal: this.#signal })
  }

  outcome(deployment: string): Promise<DeploymentResult> {
    return this.#get(`/deployments/${encodeURIComponent(deployment)}/outcome`, {})
  }

  status(request: StatusRequest): Promise<StatusResult> {
    return this.#get('/status', request)
  }

  history(request: HistoryRequest): Promise<HistoryResult> {
    return this.#get('/history', request)
  }

  releases(system: string | null): Promise<ReleaseList> {
    return this.#get('/releases', { system })
  }

  diff(request: DiffRequest): Promise<DiffResult> {
    return this.#get('/diff', request)
  }

  logs(request: LogsRequest): AsyncIterable<ServiceLogLine> {
    const path = `/logs${queryOf(request)}`
    return this.#connection.items({ method: 'GET', path, signal: this.#signal })
  }

  exportRelease(request: ReleaseRequest): AsyncIterable<Uint8Array> {
    const path = `/releases/export${queryOf(request)}`
    return this.#connection.bytes({ method: 'GET', path, signal: this.#signal })
  }

  importRelease(archive: Readable): Promise<Document<{ readonly release: ReleaseName }>> {
    return this.#connection.json({
      method: 'POST',
      path: '/releases/import',
      upload: { type: tarType, content: archive },
      signal: this.#signal,
    })
  }

  importImages(archive: Readable): Promise<Document<{ readonly images: readonly ImportedImage[] }>> {
    return this.#connection.json({
      method: 'POST',
      path: '/images/import',
      upload: { type: tarType, content: archive },
      signal: this.#signal,
    })
  }

  pullImage(request: PullRequest, notify: Notify): Promise<Document<PulledImage>> {
    return this.#progress('/images/pull', request, notify)
  }

  pullRelease(request: PullRequest, notify: Notify): Promise<Document<{ readonly release: ReleaseName }>> {
    return this.#progress('/releases/pull', request, notify)
  }

  pushImage(request: PushRequest, notify: Notify): Promise<Document<PushedImage>> {
    return this.#progress('/images/push', request, notify)
  }

  registry(): Promise<Document<RegistryDocument>> {
    return this.#get('/registry', {})
  }

  enableRegistry(settings: RegistrySettings): Promise<Document<RegistryDocument>> {
    return this.#post('/registry/enable', settings)
  }

  disableRegistry(): Promise<Document<RegistryDocument>> {
    return this.#post('/registry/disable', {})
  }

  registryTokens(): Promise<Document<RegistryTokens>> {
    return this.#get('/registry/tokens', {})
  }

  grantRegistryToken(request: { name: string; scope: Scope }): Promise<Document<RegistryToken>> {
    return this.#post('/registry/tokens', request)
  }

  revokeRegistryToken(name: string): Promise<Document<RegistryTokens>> {
    return this.#post(`/registry/tokens/${encodeURIComponent(name)}/revoke`, {})
  }

  verifyLedger(body: VerifyRequest): Promise<Document<VerifiedHead>> {
    return this.#connection.json({ method: 'POST', path: '/audit/verify', body, signal: this.#signal })
  }

  #get<Result>(path: string, query: object): Promise<Result> {
    return this.#connection.json({ method: 'GET', path: path + queryOf(query), signal: this.#signal })
  }

  #post<Result>(path: string, body: object): Promise<Result> {
    return this.#connection.json({ method: 'POST', path, body, signal: this.#signal })
  }

  #progress<Result>(path: string, body: object, notify: Notify): Promise<Result> {
    return this.#connection.progress({ method: 'POST', path, body, signal: this.#signal }, notify)
  }
}

/** Members that are null are left out: an absent query member means the same. */
function queryOf(query: object): string {
  const members = Object.entries(query).filter(([, value]) => value !== null)
  return members.length === 0
    ? ''
    : `?${new URLSearchParams(members.map(([name, value]) => [name, String(value)] as [string, string])).toString()}`
}
