/** Branded names: a string of one kind cannot be passed for another. */
declare const brand: unique symbol
type Brand<Name extends string> = string & { readonly [brand]: Name }

/** `sha256:` and 64 lower-case hex digits (OCI image-spec, descriptor.md, "Digests"). */
export type Digest = `sha256:${string}`
/** The digest of an image's manifest. */
export type ImageDigest = Digest
/** The digest of a release document's canonical JSON. */
export type ReleaseDigest = Digest

/** `<system>/<environment>`, for example `shop/staging`. Unique within one server. */
export type EnvironmentId = Brand<'EnvironmentId'>
/** `<service>-<16 hex digits>`: a service of an environment with everything that decides its behaviour. */
export type GroupId = Brand<'GroupId'>
/** `<group id>.<n>`: one running copy. `n` is never used twice for a group. */
export type InstanceId = Brand<'InstanceId'>
/** Time-ordered, unique: `d-` and 16 lower-case base32 digits. */
export type DeploymentId = Brand<'DeploymentId'>

export const environmentId = (system: string, environment: string): EnvironmentId =>
  `${system}/${environment}` as EnvironmentId

export const systemOf = (id: EnvironmentId): string => id.slice(0, id.indexOf('/'))
export const environmentNameOf = (id: EnvironmentId): string => id.slice(id.indexOf('/') + 1)

export const groupId = (service: string, digest: Digest): GroupId =>
  `${service}-${digest.slice('sha256:'.length, 'sha256:'.length + 16)}` as GroupId

export const serviceOf = (id: GroupId): string => id.slice(0, id.lastIndexOf('-'))

export const instanceId = (group: GroupId, number: number): InstanceId => `${group}.${number}` as InstanceId

export const digestPattern = /^sha256:[0-9a-f]{64}$/
export const isDigest = (text: string): text is Digest => digestPattern.test(text)

/** Systems, services, environments and volumes: a DNS label, at most 40 long, so that ids built from it stay labels. */
export const namePattern = /^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/
