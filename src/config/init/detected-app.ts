/** One application that was recognised in a folder, as a service of the proposed manifest. */
export interface DetectedApp {
  /** Relative to the folder of basalt.yaml, with `/`; `.` is that folder itself. */
  readonly folder: string
  /** What it was taken for, for the comment above the service. */
  readonly seenAs: string
  /** How its image is built. */
  readonly build: ProposedRecipe | 'dockerfile'
  readonly env: Readonly<Record<string, string>>
  readonly port: number
  /** Path that is asked whether the app is healthy. */
  readonly health: string
  /** What the reader has to check or do. */
  readonly notes: readonly string[]
}

/** A recipe for the native builder. */
export interface ProposedRecipe {
  readonly base: 'debian' | 'scratch'
  readonly packages: readonly string[]
  readonly copy: { readonly from: string; readonly to: string; readonly ignore: readonly string[] }
  readonly workdir: string
  readonly entrypoint: readonly string[]
}

/** What a detector sees of a folder. */
export interface Folder {
  /** As in DetectedApp. */
  readonly path: string
  readonly names: ReadonlySet<string>
  /** The text of a file in it, at most its first 256 KiB; null when it is none. */
  read(name: string): Promise<string | null>
}

export type Detect = (folder: Folder) => Promise<DetectedApp | null>

/** What does not belong into the image when a whole folder is copied. */
export const leftOut = (folder: string, ...more: readonly string[]): readonly string[] =>
  folder === '.' ? ['.git/', 'basalt.yaml', 'basalt.lock', ...more] : more

export const within = (folder: Folder, name: string): string =>
  folder.path === '.' ? name : `${folder.path}/${name}`
