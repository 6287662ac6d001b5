import type { SeccompConfig } from './seccomp.ts'

/** The part of the OCI runtime-spec 1.0 (config.md, config-linux.md) that Basalt writes. */
export interface OciConfig {
  readonly ociVersion: string
  readonly process: OciProcess
  readonly root: { readonly path: string; readonly readonly: true }
  readonly hostname: string
  readonly mounts: readonly OciMount[]
  readonly annotations: Readonly<Record<string, string>>
  readonly linux: OciLinux
}

export interface OciProcess {
  readonly terminal: false
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] }
  readonly args: readonly string[]
  readonly env: readonly string[]
  readonly cwd: string
  readonly capabilities: Readonly<Record<CapabilitySet, readonly string[]>>
  readonly rlimits: readonly { readonly type: string; readonly hard: number; readonly soft: number }[]
  readonly noNewPrivileges: true
  readonly oomScoreAdj: number
}

export type CapabilitySet = 'bounding' | 'effective' | 'permitted' | 'inheritable' | 'ambient'

export interface OciMount {
  readonly destination: string
  readonly type: string
  readonly source: string
  readonly options: readonly string[]
}

export interface OciLinux {
  readonly namespaces: readonly { readonly type: string; readonly path?: string }[]
  readonly cgroupsPath: string
  readonly resources: OciResources
  readonly sysctl: Readonly<Record<string, string>>
  readonly maskedPaths: readonly string[]
  readonly readonlyPaths: readonly string[]
  readonly seccomp: SeccompConfig
}

export interface OciResources {
  readonly devices: readonly { readonly allow: false; readonly access: 'rwm' }[]
  readonly memory?: { readonly limit: number; readonly swap?: number }
  readonly cpu?: { readonly quota: number; readonly period: number }
  readonly pids: { readonly limit: number }
}
