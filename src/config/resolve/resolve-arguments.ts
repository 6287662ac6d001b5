import type { ManifestPath } from '../problem-list.ts'
import { quote } from '../schema/describe-value.ts'
import type { Scope } from './scope.ts'
import { splitArguments } from './split-arguments.ts'

type ArgumentsManifest = string | readonly (string | number | boolean)[]

/** An argument vector from a list or from one line. What is not sound is not judged. */
export function resolveArguments(
  written: ArgumentsManifest,
  scope: Scope,
  path: ManifestPath,
): readonly string[] {
  if (typeof written !== 'string') {
    const items = scope.within(...path).soundItems(written)
    if (items.some(([index, text]) => index === 0 && text === ''))
      scope.report([...path, 0], 'the program has no name', 'Begin the list with a program, such as `node`.')
    return items.map(([, text]) => String(text))
  }
  if (!scope.within(...path).isSound()) return []
  const split = splitArguments(written)
  if (split.ok) return split.arguments
  const inner = JSON.stringify(written)
  scope.report(
    path,
    `${quote(written)} ${split.fact}, and no shell runs here`,
    `Write a list; when a shell is meant: \`[sh, -c, ${inner}]\`, with a shell in the image.`,
  )
  return []
}
