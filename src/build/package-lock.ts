/**
 * Which Debian packages, exactly, an image is made of: what basalt.lock holds. One object is shared by all builds of a
 * run and written once at its end.
 */
export interface PackageLock {
  /** Resolve everything anew, whatever is locked. */
  readonly update: boolean
  /** The packages locked for a request; null: it has to be resolved. */
  find(request: PackageRequest): LockedSet | null
  /** The date of a suite's index that the file was made from, the latest one; null: the file does not know the suite. */
  indexDate(suite: string): string | null
  /** Takes up what was resolved or found again. */
  keep(set: LockedSet): void
  /** All sets that were kept in this run, sorted. */
  sets(): readonly LockedSet[]
  /**
   * What the file shall hold, sorted: the kept sets, and what is locked for the same packages on other architectures,
   * unless it is to be resolved anew too.
   */
  pinned(): readonly LockedSet[]
}

export interface PackageRequest {
  readonly suite: string
  /** As Debian names it: `amd64`, `arm64`, `armhf`. */
  readonly architecture: string
  /** Package names, sorted. */
  readonly requested: readonly string[]
}

export interface LockedSet extends PackageRequest {
  /** Suite to the date of the index that was used, as the index says it. */
  readonly indexes: Readonly<Record<string, string>>
  /** Sorted by name. */
  readonly packages: readonly LockedPackage[]
}

export interface LockedPackage {
  readonly name: string
  readonly version: string
  readonly architecture: string
  /** The suite that offers it: `bookworm-security`. */
  readonly suite: string
  /** Below the archive's root, without a host: `pool/main/…/x.deb`. */
  readonly path: string
  /** 64 hex digits. */
  readonly sha256: string
  readonly sizeBytes: number
}
