/** Where packages of one suite come from, as apt is told. */
export interface AptSource {
  readonly url: string
  readonly suite: string
  readonly components: readonly string[]
  /** The key or keyring file that apt wants its index signed with; null: any trusted one. */
  readonly signedBy: string | null
  /** False where apt is told to accept an outdated index. */
  readonly checkValidUntil: boolean
}

/** Parses the one-line format of sources.list(5). What is not a binary source is passed over. */
export function parseSourcesList(text: string): readonly AptSource[] {
  return text.split('\n').flatMap((line) => {
    const [, options = '', url, suite, rest = ''] =
      /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)([^#]*)/.exec(line) ?? []
    if (url === undefined || suite === undefined) return []
    const option = (name: string) => new RegExp(`(?:^|\\s)${name}=(\\S+)`).exec(options)?.[1]
    return {
      url: withoutSlash(url),
      suite,
      components: words(rest),
      signedBy: option('signed-by') ?? null,
      checkValidUntil: option('check-valid-until') !== 'no',
    }
  })
}

/** Parses the deb822 format of sources.list(5). */
export function parseDeb822Sources(text: string): readonly AptSource[] {
  return stanzas(text).flatMap((stanza) => {
    const field = (name: string) => stanza.get(name) ?? ''
    if (!words(field('types')).includes('deb') || isNo(field('enabled'))) return []
    return words(field('uris')).flatMap((url) =>
      words(field('suites')).map((suite) => ({
        url: withoutSlash(url),
        suite,
        components: words(field('components')),
        signedBy: stanza.get('signed-by') ?? null,
        checkValidUntil: !isNo(field('check-valid-until')),
      })),
    )
  })
}

function stanzas(text: string): readonly ReadonlyMap<string, string>[] {
  const found: Map<string, string>[] = []
  let current = new Map<string, string>()
  let name = ''
  for (const line of [...text.split('\n'), '']) {
    if (line.startsWith('#')) continue
    const [, key, value = ''] = /^([A-Za-z][A-Za-z0-9-]*)\s*:\s*(.*)$/.exec(line) ?? []
    if (line.trim() === '') {
      if (current.size > 0) found.push(current)
      current = new Map()
    } else if (/^\s/.test(line)) current.set(name, `${current.get(name) ?? ''} ${line.trim()}`)
    else if (key !== undefined) {
      name = key.toLowerCase()
      current.set(name, value.trim())
    }
  }
  return found
}

const words = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== '')
const isNo = (text: string): boolean => /^(?:no|false|without|off|disable|0)$/i.test(text)
const withoutSlash = (url: string): string => url.replace(/\/+$/, '')
