import type { RecipeProblem } from '../build/builder.ts'
import type { LoadedManifest } from '../config/load-manifest.ts'
import { type Problem, problemLine } from '../config/problem-list.ts'
import type { ImageSource } from '../core/system.ts'
import { BasaltError } from '../errors.ts'

export interface FailedBuild {
  readonly service: string
  readonly source: ImageSource
  readonly error: unknown
}

/** Whether an error is a mistake in basalt.yaml; others come from the network, the disk, or whoever interrupted. */
export const isMistake = (error: unknown): error is BasaltError =>
  error instanceof BasaltError &&
  error.kind === 'user' &&
  (error.code.startsWith('build.') || error.code.startsWith('image.'))

/**
 * The one error of a run: all mistakes with their places in basalt.yaml, where there are some. `failed` is in the order
 * of failing, as what fails after another failure may be its consequence.
 */
export function buildError(manifest: LoadedManifest, failed: readonly FailedBuild[]): unknown {
  const mistakes = failed.flatMap((build) => mistakesOf(manifest, build))
  const [first, ...others] = withoutRepeats(mistakes).toSorted(
    (a, b) => a.line - b.line || a.column - b.column,
  )
  if (first === undefined) return failed[0]?.error
  return others.length === 0 ? oneMistake(first) : severalMistakes(manifest.file, [first, ...others])
}

interface Mistake extends Problem {
  readonly error: BasaltError
}

function mistakesOf(manifest: LoadedManifest, { service, source, error }: FailedBuild): readonly Mistake[] {
  if (!isMistake(error)) return []
  const { file } = manifest
  const base = ['services', service, source.kind === 'image' ? 'image' : 'build']
  return problemsOf(error, source).map(({ part, message, remedy }) => {
    const place = manifest.locate([...base, ...part]) ?? { line: 1, column: 1 }
    return { file, line: place.line, column: place.column, message, remedy: remedy ?? '', error }
  })
}

function problemsOf(error: BasaltError, source: ImageSource): readonly RecipeProblem[] {
  const { code, message, remedy = null, details } = error
  const problems = (details['problems'] as readonly RecipeProblem[] | undefined) ?? [
    { message, remedy, part: [] },
  ]
  if (code !== 'image.unknown') return problems
  const wanted = source.kind === 'image' ? source.digest : digestOfBase(source)
  const missing = wanted === details['digest'] ? `the image ${wanted} is not in the content store` : message
  return problems.map(({ part }) => ({ part, message: missing, remedy: howToImport }))
}

const digestOfBase = ({ recipe: { base } }: ImageSource & { readonly kind: 'native' }): string | null =>
  base.kind === 'image' ? base.digest : null

const howToImport =
  'Take it in, and write the digest that is printed: skopeo copy docker://NAME@DIGEST oci:FOLDER && basalt image import FOLDER'

/** Two services may have their recipe from one anchor. */
const withoutRepeats = (mistakes: readonly Mistake[]): readonly Mistake[] => [
  ...new Map(
    mistakes.map((mistake) => [`${mistake.line}:${mistake.column}:${mistake.message}`, mistake]),
  ).values(),
]

function oneMistake({ file, line, column, message, remedy, error }: Mistake): BasaltError {
  const { problems: _, ...details } = error.details
  return new BasaltError(error.code, {
    message: `${file}:${line}:${column}: ${message}`,
    ...(remedy === '' ? {} : { remedy }),
    details: { ...details, file, line, column },
    cause: error.cause,
  })
}

function severalMistakes(file: string, mistakes: readonly Mistake[]): BasaltError {
  const codes = [...new Set(mistakes.map(({ error }) => error.code))]
  const lines = mistakes.map((mistake) => problemLine(mistake).trimEnd())
  return new BasaltError(codes.length === 1 && codes[0] !== undefined ? codes[0] : 'build.failed', {
    message: `${file} has ${mistakes.length} mistakes:\n${lines.join('\n')}`,
    remedy: 'Correct them and build again: basalt build',
    details: { problems: mistakes.map(({ error: { code }, ...problem }) => ({ ...problem, code })) },
  })
}
