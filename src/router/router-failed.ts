import { BasaltError } from '../errors.ts'
import type { RouterPlace } from './router-launcher.ts'

/** @param said all that HAProxy wrote */
export function routerNotStarted({ folder, config }: RouterPlace, said: string): BasaltError {
  const lines = said.split('\n').filter((line) => line !== '' && !line.startsWith('[NOTICE]'))
  return new BasaltError('router.failed', {
    message: `HAProxy did not start: ${lines.at(0)?.trim() ?? 'it said nothing'}`,
    remedy: `See ${folder}/${config}; \`basalt doctor\` checks what the router needs.`,
    details: { lastLines: lines.slice(-10) },
  })
}
