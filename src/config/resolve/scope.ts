import type { Aim, ManifestPath, ProblemList } from '../problem-list.ts'

/** One part of the manifest: paths are relative to it, so that its resolver need not know where it stands. */
export interface Scope {
  report(path: ManifestPath, fact: string, remedy: string, aim?: Aim): void
  /** True when none of these keys has a problem, so that they may be read as their types say. */
  isSound(...keys: readonly string[]): boolean
  within(...path: ManifestPath): Scope
}

export const scopeOf = (problems: ProblemList, path: ManifestPath = []): Scope => ({
  report: (relative, fact, remedy, aim) => problems.report([...path, ...relative], fact, remedy, aim),
  isSound: (...keys) =>
    keys.length === 0 ? problems.isSound(path) : keys.every((key) => problems.isSound([...path, key])),
  within: (...relative) => scopeOf(problems, [...path, ...relative]),
})
