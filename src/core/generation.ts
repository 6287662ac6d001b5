import type { EnvironmentId, GroupId, ImageDigest } from './ids.ts'
import type { ReleaseName } from './release.ts'
import type { RouteTable } from './route-table.ts'
import type { RunSpec, ServiceOverride } from './system.ts'

/** What an environment adds to a release. */
export interface Binding {
  readonly target: string
  readonly ingressPort: number
  readonly services: Readonly<Record<string, ServiceOverride>>
  readonly warmMs: number
  readonly watchMs: number
  /**
   * Part of every group's identity. Inherited from generation to generation; `deploy --all` raises it to the
   * new generation's number, which gives every group a new id.
   */
  readonly epoch: number
}

/** Release + Binding: what an environment runs. Numbered from 1 per environment, never edited. */
export interface Generation {
  readonly environment: EnvironmentId
  readonly number: number
  readonly release: ReleaseName
  readonly binding: Binding
  /** Sorted by service. */
  readonly groups: readonly GroupSpec[]
  readonly routes: RouteTable
}

/** The identical instances of one service. `id` is a digest of all the rest but `replicas`. */
export interface GroupSpec {
  readonly id: GroupId
  readonly environment: EnvironmentId
  readonly service: string
  readonly image: ImageDigest
  /** With the environment's overrides applied. */
  readonly run: RunSpec
  /** Service name, as instances know it, to the one group it means here. */
  readonly needs: Readonly<Record<string, GroupId>>
  readonly replicas: number
}
