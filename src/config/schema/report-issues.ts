import * as z from 'zod'
import { closestName } from '../closest-name.ts'
import { familiarKeys } from '../familiar-keys.ts'
import type { ManifestPath, ProblemList } from '../problem-list.ts'
import { describeValue, pathText } from './describe-value.ts'
import { manifestSchema } from './manifest-schema.ts'
import { keysAt, schemasAt } from './schemas-at.ts'

type Issue = z.core.$ZodIssue

/** Turns what zod found into problems with a fact, a remedy and a place. `value` is the whole manifest. */
export function reportIssues(issues: readonly Issue[], value: unknown, problems: ProblemList): void {
  for (const issue of issues) reportIssue(issue, [], value, problems)
}

function reportIssue(issue: Issue, base: ManifestPath, root: unknown, problems: ProblemList): void {
  const path: ManifestPath = [...base, ...(issue.path as (string | number)[])]
  if (problems.isUnread(path)) return
  const value = valueAt(root, path)
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) reportUnknownKey([...path, key], root, problems)
    return
  }
  if (issue.code === 'invalid_key') {
    reportName(path, issue, problems)
    reportUnder(path, root, problems)
    return
  }
  if (issue.code === 'invalid_union') {
    const branch = fittingBranch(issue.errors, value)
    if (branch !== null) {
      for (const inner of branch) reportIssue(inner, path, root, problems)
      return
    }
  }
  if (value === undefined) reportMissing(path, issue.message, problems)
  else reportWrong(path, issue.message, value, problems)
}

/** Branches differ in the type that they take: the one that does not complain of the type is meant. */
function fittingBranch(branches: readonly (readonly Issue[])[], value: unknown): readonly Issue[] | null {
  if (value === null || value === undefined) return null
  const fits = branches.filter((branch) => !branch.some(complainsOfType))
  if (fits.length <= 1) return fits[0] ?? null
  // Of several kinds of blocks the one is meant that knows most of what is written; in doubt the last one.
  const strangers = (branch: readonly Issue[]): number =>
    branch.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 0), 0)
  return fits.toReversed().toSorted((a, b) => strangers(a) - strangers(b))[0] ?? null
}

function complainsOfType(issue: Issue): boolean {
  if (issue.path.length > 0) return false
  if (issue.code === 'invalid_union') return issue.errors.every((branch) => branch.some(complainsOfType))
  return issue.code === 'invalid_type'
}

function reportUnknownKey(path: ManifestPath, root: unknown, problems: ProblemList): void {
  const key = String(path.at(-1))
  const around = path.slice(0, -1)
  const possible = keysAt(manifestSchema, around)
  // Where several kinds of blocks may stand, a key of one is a stranger in the others.
  const known = possible.filter((name) => name !== key)
  const otherKind =
    known.length < possible.length ? 'It goes with another kind of block than the rest.' : null
  const close = closestName(key, known)
  const familiar = Object.hasOwn(familiarKeys, key) ? familiarKeys[key] : undefined
  const meant =
    close === null ? [...(familiar ?? '').matchAll(/`([a-z]+)`/g)].map(([, name]) => name ?? '') : [close]
  // Checks of the key that was meant would only echo the slip.
  for (const name of meant)
    if (valueAt(root, [...around, name]) === undefined) problems.spoil([...around, name])
  const listed = `Known are ${known.map((name) => `\`${name}\``).join(', ')}.`
  const remedy =
    otherKind ??
    (close !== null ? `did you mean \`${close}\`?` : familiar === undefined ? listed : sentence(familiar))
  problems.report(path, `\`${key}\` is not known here`, remedy, 'key')
  problems.spoil(path)
}

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`

function reportName(
  path: ManifestPath,
  issue: Extract<Issue, { code: 'invalid_key' }>,
  problems: ProblemList,
): void {
  const rule = issue.issues[0]?.message ?? 'a valid name'
  problems.report(path, `\`${String(path.at(-1))}\` must be ${rule}`, 'Rename it.', 'key')
}

/** zod does not look at what stands under a name that it refuses. */
function reportUnder(path: ManifestPath, root: unknown, problems: ProblemList): void {
  const record = schemasAt(manifestSchema, path.slice(0, -1)).find((schema) => schema instanceof z.ZodRecord)
  if (record === undefined) return
  const checked = z.safeParse(record.valueType, valueAt(root, path))
  for (const found of checked.error?.issues ?? []) reportIssue(found, path, root, problems)
}

function reportMissing(path: ManifestPath, rule: string, problems: ProblemList): void {
  const around = path.length === 1 ? 'the manifest' : `\`${pathText(path.slice(0, -1))}\``
  problems.report(path, `${around} has no \`${String(path.at(-1))}\``, `It must be ${rule}.`, 'key')
  problems.spoil(path)
}

function reportWrong(path: ManifestPath, rule: string, value: unknown, problems: ProblemList): void {
  const subject = path.length === 0 ? 'the manifest' : `\`${pathText(path)}\``
  problems.report(path, `${subject} is ${describeValue(value)}`, `It must be ${rule}.`)
}

function valueAt(root: unknown, path: ManifestPath): unknown {
  let value: unknown = root
  for (const segment of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined
    value = (value as Record<string | number, unknown>)[segment]
  }
  return value
}
