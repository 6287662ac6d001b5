/** What a registry asks for in `WWW-Authenticate` (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>
}

/** Longer ones are of nobody who means well. */
const longestHeader = 8192
const token = String.raw`[!#$%&'*+.^_\x60|~0-9A-Za-z-]+`
const parameter = new RegExp(String.raw`^[ \t,]*(${token})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|(${token}))`)
const schemeName = new RegExp(String.raw`^[ \t,]*(${token})(?=[ \t,]|$)`)

/** The challenges of a header in their order; what cannot be read ends the list. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: Challenge[] = []
  let rest = header.slice(0, longestHeader)
  for (let scheme = schemeName.exec(rest); scheme !== null; scheme = schemeName.exec(rest)) {
    rest = rest.slice(scheme[0].length)
    const parameters: Record<string, string> = {}
    for (let found = parameter.exec(rest); found !== null; found = parameter.exec(rest)) {
      const [text, name = '', quoted, plain = ''] = found
      parameters[name.toLowerCase()] = quoted === undefined ? plain : quoted.replaceAll(/\\(.)/g, '$1')
      rest = rest.slice(text.length)
    }
    challenges.push({ scheme: (scheme[1] ?? '').toLowerCase(), parameters })
  }
  return challenges
}
