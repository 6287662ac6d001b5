import type { RecipeProblem } from '../build/builder.ts'
import { isDockerfile } from '../config/implied-names.ts'
import type { LoadedManifest } from '../config/load-manifest.ts'
import { type Problem, problemLine } from '../config/problem-list.ts'
import type { ImageSource } from '../core/system.ts'
import { BasaltError } from '../errors.ts'

export interface FailedBuild {
  readonly service: string
  readonly source: ImageSource
  readonly error: unknown
}

/** What is said of the base of a recipe is told at its place. */
export async function inBase<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof BasaltError) || !hasPlace(error)) throw error
    const { code, message, remedy = null, details, cause } = error
    const problems: readonly RecipeProblem[] = [{ message, remedy, part: ['base'] }]
    throw new BasaltError(code, {
      message,
      ...(remedy === null ? {} : { remedy }),
      details: { ...details, problems },
      cause,
    })
  }
}

/** A registry that does not answer is no mistake, but which of the images it has is worth to know. */
export const hasPlace = (error: unknown): error is BasaltError =>
  isMistake(error) || (error instanceof BasaltError && error.code.startsWith('registry.'))

/** Whether an error is a mistake in basalt.yaml; others come from the network, the disk, or whoever interrupted. */
const isMistake = (error: unknown): error is BasaltError =>
  error instanceof BasaltError && error.kind === 'user' && /^(?:build|image|registry)\./.test(error.code)

/**
 * The one error of a run: all mistakes with their places in basalt.yaml, where there are some. `failed` is in the order
 * of failing, as what fails after another failure may be its consequence.
 */
export function buildError(manifest: LoadedManifest, failed: readonly FailedBuild[]): unknown {
  // A Dockerfile alone has one service, and its mistakes have their lines in it.
  if (isDockerfile(manifest.file)) return failed[0]?.error
  const placed = failed.filter(({ error }) => hasPlace(error))
  // Where there are none, what failed first stopped the others.
  const told = placed.length > 0 ? placed : failed.slice(0, 1)
  const [first, ...others] = withoutRepeats(told.flatMap((build) => mistakesOf(manifest, build))).toSorted(
    (a, b) => a.line - b.line || a.column - b.column,
  )
  if (first === undefined) return failed[0]?.error
  return others.length === 0 ? oneMistake(first) : severalMistakes(manifest.file, [first, ...others])
}

interface Mistake extends Problem {
  readonly error: BasaltError
}

function mistakesOf(manifest: LoadedManifest, { service, source, error }: FailedBuild): readonly Mistake[] {
  if (!hasPlace(error)) return []
  const { file } = manifest
  const base = ['services', service, 'recipe' in source ? 'build' : 'image']
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
  const wanted = namedDigest(source)
  const missing = wanted === details['digest'] ? `the image ${wanted} is not in the content store` : message
  return problems.map(({ part }) => ({ part, message: missing, remedy: howToImport }))
}

function namedDigest(source: ImageSource): string | null {
  if (source.kind === 'dockerfile') return null
  const image = source.kind === 'native' ? source.recipe.base : source
  return image.kind === 'image' ? image.digest : null
}

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
