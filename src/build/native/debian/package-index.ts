import { parseRelations } from './dependency.ts'
import { compareVersions } from './version.ts'

/** A package as an index offers it; relation fields as they are written there. */
export interface OfferedPackage {
  readonly name: string
  readonly version: string
  readonly architecture: string
  /** The suite whose index offers it. */
  readonly suite: string
  readonly depends: string
  readonly preDepends: string
  readonly conflicts: string
  readonly breaks: string
  readonly provides: string
  readonly priority: string
  readonly multiArch: string
  readonly path: string
  readonly sha256: string
  readonly sizeBytes: number
}

/** The packages of one or more suites. */
export interface PackageIndex {
  /** All versions of a name, the highest first. */
  versions(name: string): readonly OfferedPackage[]
  /** Packages that provide a name, with the version that they provide it in (null: none given). */
  providers(name: string): readonly Provider[]
  names(): Iterable<string>
}

export interface Provider {
  readonly offered: OfferedPackage
  readonly version: string | null
}

/** The fields of a stanza that are kept, in the order of a line's columns. */
const fields = [
  'Package',
  'Version',
  'Architecture',
  'Depends',
  'Pre-Depends',
  'Conflicts',
  'Breaks',
  'Provides',
  'Priority',
  'Multi-Arch',
  'Filename',
  'SHA256',
  'Size',
] as const
const columnOf = new Map<string, number>(fields.map((field, column) => [field, column]))
const providesColumn = fields.indexOf('Provides')

/** The short form of an index: a line for each package, its columns parted by tabs. */
export async function compactPackages(text: AsyncIterable<Uint8Array>): Promise<string> {
  const lines: string[] = []
  let columns: string[] = []
  let rest = ''
  const decoder = new TextDecoder()
  const take = (line: string) => {
    if (line === '') {
      if (columns.length > 0) lines.push(columns.join('\t'))
      columns = []
      return
    }
    const colon = line.indexOf(':')
    const column = columnOf.get(line.slice(0, colon))
    // Lines that go on begin with a blank; of the fields that are kept none is ever continued.
    if (column === undefined) return
    if (columns.length === 0) columns = Array.from(fields, () => '')
    columns[column] = line.slice(colon + 1).trim()
  }
  for await (const chunk of text) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) take(line)
  }
  take(rest)
  take('')
  return lines.join('\n')
}

/** Reads compact indexes, the later ones with the same right. A line is taken apart when its package is asked for. */
export function readPackageIndex(
  indexes: readonly { readonly suite: string; readonly compact: string }[],
): PackageIndex {
  const lines = new Map<string, Line[]>()
  const provided = new Map<string, Line[]>()
  for (const { suite, compact } of indexes) {
    for (const text of compact.split('\n')) {
      if (text === '') continue
      const line = { suite, text }
      append(lines, text.slice(0, text.indexOf('\t')), line)
      const provides = text.split('\t', providesColumn + 1)[providesColumn] ?? ''
      if (provides === '') continue
      for (const [relation] of parseRelations(provides)) if (relation) append(provided, relation.name, line)
    }
  }
  return {
    versions: (name) =>
      (lines.get(name) ?? [])
        .map(parseLine)
        .sort((a, b) => compareVersions(b.version, a.version) || bySuite(a, b)),
    providers: (name) =>
      (provided.get(name) ?? []).map(parseLine).flatMap((offered) =>
        parseRelations(offered.provides)
          .flat()
          .filter((relation) => relation.name === name)
          .map(({ constraint }) => ({ offered, version: constraint?.version ?? null })),
      ),
    names: () => lines.keys(),
  }
}

interface Line {
  readonly suite: string
  readonly text: string
}

const bySuite = (a: OfferedPackage, b: OfferedPackage): number =>
  a.suite < b.suite ? -1 : a.suite > b.suite ? 1 : 0

function append<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const values = map.get(key)
  if (values === undefined) map.set(key, [value])
  else values.push(value)
}

function parseLine({ suite, text }: Line): OfferedPackage {
  const columns = text.split('\t')
  const column = (field: (typeof fields)[number]): string => columns[fields.indexOf(field)] ?? ''
  return {
    name: column('Package'),
    version: column('Version'),
    architecture: column('Architecture'),
    suite,
    depends: column('Depends'),
    preDepends: column('Pre-Depends'),
    conflicts: column('Conflicts'),
    breaks: column('Breaks'),
    provides: column('Provides'),
    priority: column('Priority'),
    multiArch: column('Multi-Arch'),
    path: column('Filename'),
    sha256: column('SHA256'),
    sizeBytes: Number(column('Size')),
  }
}
