import { BasaltError, invariant } from '../errors.ts'
import type { RecipeProblem } from './builder.ts'

/**
 * Says of a mistake in which part of the recipe it is. What is the machine's fault passes through, and so does what
 * says by itself where it is.
 */
export async function inPart<Result>(
  part: RecipeProblem['part'] | ((error: BasaltError) => RecipeProblem['part']),
  work: () => Promise<Result> | Result,
): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof BasaltError) || !isMistake(error) || 'problems' in error.details) throw error
    throw mistakes([{ error, part: typeof part === 'function' ? part(error) : part }])
  }
}

const isMistake = ({ kind, code }: BasaltError): boolean =>
  kind === 'user' && (code.startsWith('build.') || code.startsWith('image.'))

/** One error for several mistakes of one kind. */
export function mistakes(
  found: readonly { readonly error: BasaltError; readonly part: RecipeProblem['part'] }[],
): BasaltError {
  const problems = found.map(({ error, part }): RecipeProblem => {
    return { message: error.message, remedy: error.remedy ?? null, part }
  })
  const [first] = found
  invariant(first !== undefined, 'an error without a mistake')
  const { code, remedy, details, cause } = first.error
  return new BasaltError(code, {
    message: problems.map(({ message }) => message).join('; '),
    ...(remedy === undefined ? {} : { remedy }),
    details: { ...details, problems },
    cause,
  })
}
