const suites =
  /^(?:buster|bullseye|bookworm|trixie|forky|duke|sid|oldoldstable|oldstable|stable|testing|unstable)(?:-updates|-security|\/updates)?$/

/**
 * Addresses in apt's sources that a build may fetch from: of Debian's own suites. `text` is a file of either form:
 * one line a source (`deb http://… bookworm main`), or paragraphs (`URIs: http://…`, `Suites: bookworm`).
 */
export function debianSources(text: string): readonly string[] {
  const lines = [...text.matchAll(/^deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)\s+(.*)$/gm)].flatMap(
    ([, uri = '', suite = '', components = '']) => (isDebian([suite], components) ? [uri] : []),
  )
  const paragraphs = text.split(/\n\s*\n/).flatMap((paragraph) => {
    const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(paragraph)?.[1] ?? ''
    return isDebian(field('Suites').split(/\s+/), field('Components')) ? field('URIs').split(/\s+/) : []
  })
  return [...lines, ...paragraphs].filter((uri) => uri.startsWith('http'))
}

const isDebian = (named: readonly string[], components: string): boolean =>
  named.some((suite) => suites.test(suite)) && components.split(/\s+/).includes('main')
