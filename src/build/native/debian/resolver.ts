import { BasaltError } from '../../../errors.ts'
import { mistakes } from '../../recipe-part.ts'
import { type Constraint, parseRelations, type Relation, relationText, satisfies } from './dependency.ts'
import { isMaintainerOnly } from './maintainer-only.ts'
import { nearNames } from './near-names.ts'
import type { OfferedPackage, PackageIndex } from './package-index.ts'

/**
 * Chooses packages so that every dependency of the requested ones holds and none conflict. Highest versions; of
 * alternatives the first that can be had, unless one is chosen already; the same choice for the same index.
 * Rejects with `build.package-unknown` and `build.package-unresolvable` (details: {package, chain}).
 */
export function resolvePackages(
  index: PackageIndex,
  request: { readonly suite: string; readonly architecture: string; readonly requested: readonly string[] },
): readonly OfferedPackage[] {
  const resolution = new Resolution(index, request.architecture)
  assertKnown(index, request)
  const wanted = request.requested.flatMap((name) => index.versions(name)[0] ?? [])
  // All of them first, so that a dependency on one of them is met by it and not by an alternative.
  for (const offered of wanted) resolution.choose(offered, [])
  for (const offered of wanted) resolution.follow(offered, [offered.name])
  return resolution.packages()
}

function assertKnown(
  index: PackageIndex,
  { requested, suite }: { readonly suite: string; readonly requested: readonly string[] },
): void {
  const unknown = requested.filter((name) => index.versions(name)[0] === undefined)
  if (unknown.length === 0) return
  throw mistakes(
    unknown.map((name) => ({ error: unknownPackage(index, name, suite), part: ['packages', name] })),
  )
}

function unknownPackage(index: PackageIndex, name: string, suite: string): BasaltError {
  const providers = [...new Set(index.providers(name).map((provider) => provider.offered.name))]
  const near = providers.length > 0 ? providers : nearNames(name, index.names())
  return new BasaltError('build.package-unknown', {
    message:
      providers.length > 0
        ? `${name} is a virtual package in ${suite}: other packages provide it`
        : `the package ${name} is not in ${suite}`,
    remedy:
      near.length > 0
        ? `Did you mean ${near.slice(0, 5).join(', ')}?`
        : `Look it up: apt-cache search ${name}`,
    details: { package: name, suite, near },
  })
}

/** Why a package is wanted: names from a requested one downwards. */
type Chain = readonly string[]

/** A choice that did not work out; caught where there is another alternative. */
class Unsatisfied extends BasaltError {
  constructor(chain: Chain, fact: string) {
    const wanted = chain[0] ?? ''
    super('build.package-unresolvable', {
      message: `${wanted} cannot be installed: ${fact} (${chain.join(' → ')})`,
      remedy: 'Leave out one of the packages; or resolve with newer indexes: basalt build --update',
      details: { package: wanted, chain, fact },
    })
  }
}

class Resolution {
  private readonly index: PackageIndex
  private readonly architecture: string
  /** By name, in the order of choice, so that a failed attempt can be taken back. */
  private readonly chosen = new Map<string, OfferedPackage>()

  constructor(index: PackageIndex, architecture: string) {
    this.index = index
    this.architecture = architecture
  }

  packages(): readonly OfferedPackage[] {
    return [...this.chosen.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  choose(offered: OfferedPackage, chain: Chain): void {
    if (this.chosen.has(offered.name)) return
    for (const other of this.chosen.values()) {
      const fact = conflictOf(offered, other) ?? conflictOf(other, offered)
      if (fact !== null) throw new Unsatisfied(chain.length > 0 ? chain : [offered.name], fact)
    }
    this.chosen.set(offered.name, offered)
  }

  /** Makes all dependencies of a chosen package hold. */
  follow(offered: OfferedPackage, chain: Chain): void {
    const groups = [...parseRelations(offered.preDepends), ...parseRelations(offered.depends)]
    for (const group of groups) {
      if (group.some((relation) => this.holds(relation))) continue
      if (group.some((relation) => isMaintainerOnly(offered.name, relation.name))) continue
      this.satisfy(group, chain)
    }
  }

  private holds(relation: Relation): boolean {
    const named = this.chosen.get(relation.name)
    if (named !== undefined && this.fits(named, relation) && satisfies(named.version, relation.constraint))
      return true
    for (const offered of this.chosen.values())
      if (provides(offered, relation.name, relation.constraint)) return true
    return false
  }

  private satisfy(group: readonly Relation[], chain: Chain): void {
    const candidates = group.flatMap((relation) => this.candidates(relation))
    let firstFailure: Unsatisfied | null = null
    for (const candidate of candidates) {
      const before = this.chosen.size
      const below = [...chain, candidate.name]
      try {
        this.choose(candidate, below)
        this.follow(candidate, below)
        return
      } catch (cause) {
        if (!(cause instanceof Unsatisfied)) throw cause
        firstFailure ??= cause
        this.takeBack(before)
      }
    }
    throw firstFailure ?? new Unsatisfied(chain, `nothing offers ${group.map(relationText).join(' or ')}`)
  }

  /** The package itself in its highest version that fits, else those that provide the name, important ones first. */
  private candidates({ name, qualifier, constraint }: Relation): readonly OfferedPackage[] {
    const relation = { name, qualifier, constraint }
    if (this.chosen.has(name)) return []
    const itself = this.index
      .versions(name)
      .find((offered) => this.fits(offered, relation) && satisfies(offered.version, constraint))
    if (itself !== undefined) return [itself]
    return this.index
      .providers(name)
      .filter(({ offered, version }) => !this.chosen.has(offered.name) && providedFits(version, constraint))
      .map(({ offered }) => offered)
      .filter((offered) => this.index.versions(offered.name)[0]?.version === offered.version)
      .sort((a, b) => priorityOf(a) - priorityOf(b) || (a.name < b.name ? -1 : 1))
  }

  /** `:any` asks for a package that allows any architecture; here there is only one, and `all`. */
  private fits(offered: OfferedPackage, { qualifier }: Relation): boolean {
    if (qualifier === null || qualifier === 'native') return true
    if (qualifier === 'any') return offered.multiArch === 'allowed' || offered.multiArch === 'foreign'
    return qualifier === this.architecture
  }

  private takeBack(size: number): void {
    for (const name of [...this.chosen.keys()].slice(size)) this.chosen.delete(name)
  }
}

/** A provided name without a version meets no versioned dependency (Debian policy, 7.5). */
const providedFits = (version: string | null, constraint: Constraint | null): boolean =>
  constraint === null || (version !== null && satisfies(version, constraint))

const provides = (offered: OfferedPackage, name: string, constraint: Constraint | null): boolean =>
  offered.provides.includes(name) &&
  parseRelations(offered.provides)
    .flat()
    .some(
      (relation) => relation.name === name && providedFits(relation.constraint?.version ?? null, constraint),
    )

/** What of `a`'s Conflicts or Breaks is met by `b`, in words. A package never conflicts with what it provides itself. */
function conflictOf(a: OfferedPackage, b: OfferedPackage): string | null {
  for (const [field, verb] of [
    ['conflicts', 'conflicts with'],
    ['breaks', 'breaks'],
  ] as const) {
    if (a[field] === '') continue
    for (const relation of parseRelations(a[field]).flat()) {
      const isNamed = relation.name === b.name && satisfies(b.version, relation.constraint)
      if (isNamed || provides(b, relation.name, relation.constraint)) {
        return `${a.name} ${a.version} ${verb} ${relationText(relation)}, which is ${b.name} ${b.version}`
      }
    }
  }
  return null
}

const priorities = ['required', 'important', 'standard', 'optional', 'extra']
const priorityOf = ({ priority }: OfferedPackage): number => {
  const rank = priorities.indexOf(priority)
  return rank === -1 ? priorities.length : rank
}
