/** One member of a tar archive. `path` is relative, `/`-separated, without a leading `./` or a trailing `/`. */
export type TarEntry = TarMember &
  (
    | { readonly kind: 'file'; readonly content: TarContent }
    | { readonly kind: 'directory' }
    | { readonly kind: 'symlink'; readonly target: string }
    | { readonly kind: 'hardlink'; readonly target: string }
  )

interface TarMember {
  readonly path: string
  /** The twelve permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Whole seconds since the epoch, never negative. */
  readonly mtime: number
}

export type TarContent = Uint8Array | FileRange

/** Bytes of a file on disk, read when their turn comes. */
export interface FileRange {
  readonly file: string
  readonly offset: number
  readonly sizeBytes: number
  /**
   * What the file must be before it is read, and still be afterwards, else `build.failed`: no half of a file that was just
   * replaced or is being written.
   */
  readonly expected?: FileState
}

/** Differs after every change of a file, as far as the clock of its file system can tell. */
export interface FileState {
  readonly device: bigint
  readonly inode: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}
