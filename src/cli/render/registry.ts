import { isLoopbackHost } from '../../images/registry/server/loopback.ts'
import type { RegistryDocument, RegistryTokens } from '../../server/registry-routes.ts'
import { formatAge } from '../duration.ts'
import type { Paint } from './paint.ts'
import { printable } from './printable.ts'
import { renderTable } from './table.ts'

/** Where the registry answers, how it is used, or why it does not answer. */
export function renderRegistry(document: RegistryDocument, paint: Paint): string {
  const { enabled, listen, url, problem, certificate, anonymousPull } = document
  if (!enabled && problem === null)
    return 'the registry is not served. Serve it with `basalt registry enable`.'
  if (url === null)
    return `${paint('red', 'the registry does not answer')}${listen === null ? '' : ` at ${listen}`}: ${problem ?? ''}`
  const host = url.replace(/^https?:\/\//, '')
  const pull =
    anonymousPull === true && isLoopbackHost(host)
      ? 'from this machine without a token, except whole releases'
      : 'with a token of any scope'
  return [
    `${paint('green', 'the registry answers')} at ${url}${certificate === null ? '' : `, certificate ${certificate}`}`,
    `  pull  ${pull}: docker pull ${host}/<system>/<service>:release-<number>`,
    `  push  with a token: basalt registry grant <name> --scope push`,
  ].join('\n')
}

/** Who may use the registry. `now` in milliseconds since the epoch. */
export function renderTokens({ tokens }: RegistryTokens, paint: Paint, now: number): string {
  if (tokens.length === 0)
    return 'There is no token. Make one with `basalt registry grant <name> --scope push`.'
  return renderTable(
    ['NAME', 'SCOPE', 'MADE', 'BY'],
    tokens.map(({ name, scope, createdAt, createdBy }) => [
      paint('bold', printable(name)),
      scope,
      formatAge(now - createdAt),
      printable(createdBy),
    ]),
  )
}
