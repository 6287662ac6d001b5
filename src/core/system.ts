import type { Digest } from './ids.ts'

/** What `basalt.yaml` declares, checked and with every default filled in. Records are keyed by name. */
export interface System {
  readonly name: string
  readonly services: Readonly<Record<string, ServiceSpec>>
  readonly environments: Readonly<Record<string, EnvironmentSpec>>
}

export interface ServiceSpec {
  readonly source: ImageSource
  readonly run: RunSpec
  readonly expose: readonly Expose[]
  readonly replicas: number
  /** Notes for people and tools: in the release, but no part of a group's identity. */
  readonly labels: Readonly<Record<string, string>>
}

export type ImageSource =
  | { readonly kind: 'native'; readonly recipe: NativeRecipe<RecipeBase> }
  | { readonly kind: 'dockerfile'; readonly recipe: DockerfileRecipe }
  /** In the content store. */
  | { readonly kind: 'image'; readonly digest: Digest }
  | RegistrySource

/** In a registry: a build finds out which image that is, and from then on it has a digest. */
export interface RegistrySource {
  readonly kind: 'reference'
  /** As it is written: `nginx:1.25`. */
  readonly reference: string
}

/** How an instance behaves once its image is known: all of it is part of a group's identity. */
export interface RunSpec {
  /** Replaces the image's entrypoint and command; null keeps them. */
  readonly command: readonly string[] | null
  readonly env: Readonly<Record<string, string>>
  readonly ports: readonly Port[]
  readonly health: HealthCheck
  /** Names of services whose names must resolve inside an instance, sorted. */
  readonly needs: readonly string[]
  /** Absolute paths that get an empty tmpfs. */
  readonly writable: readonly WritablePath[]
  readonly volumes: readonly VolumeMount[]
  /** Holds durable data: replaced stop-then-start, never two writers, at most one replica. */
  readonly stateful: boolean
  readonly limits: Limits
  /** `uid`, `uid:gid` or a name from the image's /etc/passwd; null: what the image says. */
  readonly user: string | null
  /** Linux capabilities beyond none at all, sorted, with their `CAP_` prefix. */
  readonly capabilities: readonly string[]
  readonly stop: { readonly signal: string; readonly graceMs: number }
}

export interface Port {
  readonly port: number
  /** `http` traffic is routed, retried and counted by request; `tcp` by connection. */
  readonly protocol: 'http' | 'tcp'
}

export type HealthCheck =
  | ({ readonly kind: 'http'; readonly path: string; readonly port: number } & HealthTiming)
  | ({ readonly kind: 'tcp'; readonly port: number } & HealthTiming)
  | ({ readonly kind: 'command'; readonly command: readonly string[] } & HealthTiming)
  /** No port to ask: healthy once it has run for `intervalMs`. */
  | ({ readonly kind: 'running' } & HealthTiming)

export interface HealthTiming {
  /** Between two checks of an instance that is healthy. While it starts, checks come faster. */
  readonly intervalMs: number
  readonly timeoutMs: number
  /** From start to the first healthy answer, at most. */
  readonly startMs: number
  /** Consecutive failures that make a healthy instance unhealthy. */
  readonly retries: number
}

export interface WritablePath {
  readonly path: string
  readonly sizeBytes: number
}

export interface VolumeMount {
  readonly name: string
  readonly path: string
}

/** null: no limit. `pids` always has one. */
export interface Limits {
  readonly memoryBytes: number | null
  readonly cpus: number | null
  readonly pids: number
}

/** Where a service answers outside its system. `entryPort` null: the environment's ingress port. */
export type Expose =
  | {
      readonly kind: 'http'
      /** A lower-case host name, or `*` for every host. */
      readonly host: string
      /** `/` or `/prefix`, matched on whole segments; the longest wins. */
      readonly path: string
      readonly port: number
      readonly entryPort: number | null
    }
  | { readonly kind: 'tcp'; readonly port: number; readonly entryPort: number }

export interface EnvironmentSpec {
  /** The target's name: `local`. */
  readonly target: string
  /** The host port of http exposes that name none. */
  readonly ingressPort: number
  readonly services: Readonly<Record<string, ServiceOverride>>
  /** How long the previous generation stays warm after a success. */
  readonly warmMs: number
  /** After the switch: how long the new generation is watched, with automatic return. */
  readonly watchMs: number
}

/** Only what an environment may decide; everything else is the release's. */
export interface ServiceOverride {
  readonly replicas?: number
  readonly env?: Readonly<Record<string, string>>
  readonly limits?: Partial<Limits>
  readonly expose?: readonly Expose[]
}

/** A recipe of the native builder. Paths are relative to the folder of basalt.yaml. */
export interface NativeRecipe<Base extends RecipeBase = PinnedBase> {
  readonly base: Base
  /** Debian package names, sorted; only with a `debian` base. */
  readonly packages: readonly string[]
  readonly copy: readonly CopySpec[]
  readonly env: Readonly<Record<string, string>>
  readonly workdir: string
  readonly entrypoint: readonly string[]
  readonly user: string | null
  readonly labels: Readonly<Record<string, string>>
}

/** What a recipe may be written with. */
export type RecipeBase = PinnedBase | RegistrySource

/** What it is built from. */
export type PinnedBase =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'debian'; readonly suite: string }
  | { readonly kind: 'image'; readonly digest: Digest }

/** A Dockerfile, built by what the machine has for it. Paths are relative to the folder of basalt.yaml. */
export interface DockerfileRecipe {
  /** The folder that the build can see; `.` is the folder of basalt.yaml. */
  readonly context: string
  /** Relative to the context. */
  readonly dockerfile: string
  /** The stage that is built; null: the last one. */
  readonly target: string | null
  /** Everybody who has the release can read them. */
  readonly args: Readonly<Record<string, string>>
  /** Sorted by id. */
  readonly secrets: readonly SecretFile[]
  /** Patterns as in .dockerignore, after those of the file. */
  readonly ignore: readonly string[]
}

/** For `RUN --mount=type=secret,id=…`: its bytes go to that step, and nowhere else. */
export interface SecretFile {
  readonly id: string
  readonly file: string
}

export interface CopySpec {
  readonly from: string
  readonly to: string
  /** Permission bits for files (folders get x where r is); null keeps the owner's x bit: 0755 or 0644. */
  readonly mode: number | null
  readonly uid: number
  readonly gid: number
  /** gitignore patterns, relative to `from`. */
  readonly ignore: readonly string[]
}
