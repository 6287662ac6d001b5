import { BasaltError } from '../errors.ts'
import type { Context } from './context.ts'

/**
 * Asks a person at the terminal; a no is `request.interrupted`. Where nobody can be asked it is `request.invalid`:
 * silence is not consent.
 */
export async function confirm(fact: string | null, context: Context): Promise<void> {
  const { createInterface } = await import('node:readline/promises')
  const before = fact === null ? '' : `${fact} `
  if (!context.canAsk)
    throw new BasaltError('request.invalid', {
      message: `${before}That needs a yes, and there is no terminal to ask at`,
      remedy: 'Run the command again with --yes.',
    })
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await lines.question(`${before}Go on? [y/N] `, { signal: context.interrupt })
    if (/^y(es)?$/i.test(answer.trim())) return
  } catch {
    // Ctrl-C or the end of input is a no.
  } finally {
    lines.close()
  }
  throw new BasaltError('request.interrupted', {
    message: 'nothing was done',
    remedy: 'Skip the question with --yes.',
  })
}
