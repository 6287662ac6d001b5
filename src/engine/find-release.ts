import { BasaltError } from '../errors.ts'
import type { FrozenRelease, SystemState } from './ledger-view.ts'

/** Finds a release by `shop@7`, `@7`, `7`, its digest, or a unique prefix of at least four hex digits of it. */
export function findRelease(system: string, state: SystemState, text: string): FrozenRelease {
  const version = /^(?:[a-z][a-z0-9-]*)?@?(\d{1,9})$/.exec(text)
  const named = text.includes('@') ? text.slice(0, text.indexOf('@')) : ''
  if (named !== '' && named !== system) throw unknown(system, state, text)
  if (version !== null) {
    const found = state.releases.find(({ release }) => release.version === Number(version[1]))
    if (found !== undefined) return found
  }
  const hex = text.replace(/^sha256:/, '')
  const matches = /^[0-9a-f]{4,64}$/.test(hex)
    ? state.releases.filter(({ release }) => release.digest.startsWith(`sha256:${hex}`))
    : []
  const [match, second] = matches
  if (match === undefined) throw unknown(system, state, text)
  if (second === undefined) return match
  throw new BasaltError('release.ambiguous', {
    message: `${text} is the beginning of ${matches.length} releases: ${matches.map(({ release }) => release.name).join(', ')}`,
    remedy: 'Give more digits, or the name.',
  })
}

function unknown(system: string, { releases }: SystemState, text: string): BasaltError {
  const newest = releases.at(-1)
  return new BasaltError('release.unknown', {
    message: `${system} has no release ${text}`,
    remedy:
      newest === undefined
        ? 'Nothing was built yet: run `basalt build`.'
        : `The newest is ${newest.release.name}; \`basalt releases\` lists all.`,
  })
}
