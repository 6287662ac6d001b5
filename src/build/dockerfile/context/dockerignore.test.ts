import { describe, expect, it } from 'vitest'
import { ignoreRules, readDockerignore } from './dockerignore.ts'

/** Asks as the walk does: folder by folder. */
function isIgnored(patterns: readonly string[], path: string): boolean {
  const rules = ignoreRules(patterns)
  let { top: matches } = rules
  let ignored = false
  const names = path.split('/')
  for (let depth = 1; depth <= names.length; depth++)
    ({ matches, ignored } = rules.match(names.slice(0, depth).join('/'), matches))
  return ignored
}

// Cases of moby/patternmatcher, patternmatcher_test.go.
describe('patterns', () => {
  it.each<[string, string, boolean]>([
    ['**', 'file', true],
    ['**', 'dir/file', true],
    ['**/', 'dir/file', true],
    ['**/**', 'dir/file', true],
    ['dir/**', 'dir/file', true],
    ['dir/**', 'dir/dir2/file', true],
    ['**/dir', 'dir', true],
    ['**/dir', 'dir/file', true],
    ['**/dir2/*', 'dir/dir2/file', true],
    ['**/dir2/**', 'dir/dir2/dir2/file', true],
    ['**file', 'dir/dir/file', true],
    ['**/file', 'dir/dir/file', true],
    ['**file', 'dir/dir/file.txt', false],
    ['**/file*txt', 'dir/dir/file.txt', true],
    ['**/**/*.txt', 'dir/dir/file.txt', true],
    ['a**/*.txt', 'a/file.txt', true],
    ['a**/*.txt', 'a/dir/file.txt', true],
    ['a/*.txt', 'a/dir/file.txt', false],
    ['a/*.txt', 'a/file.txtx', false],
    ['a[b-d]e', 'ace', true],
    ['a[b-d]e', 'aae', false],
    ['a[^b-d]e', 'aze', true],
    ['.*', '.foo', true],
    ['.*', 'foo', false],
    ['abc.def', 'abcdef', false],
    ['abc?def', 'abcZdef', true],
    ['abc?def', 'abcdef', false],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'axb', false],
    ['a\\\\', 'a\\', true],
    ['/foo', 'foo', true],
    ['foo/', 'foo', true],
    ['foo/../bar', 'bar', true],
    ['*/foo', 'foo', false],
    ['**/foo/bar', 'in/foo/bar/x', true],
    ['util', 'sub/util', false],
    ['docs', 'docs/a/b', true],
    ['(x)$', '(x)$', true],
  ])('%s and %s', (pattern, path, expected) => {
    expect(isIgnored([pattern], path)).toBe(expected)
  })

  it('count in their order: the last one that matches decides', () => {
    expect(isIgnored(['*.md', '!README.md'], 'README.md')).toBe(false)
    expect(isIgnored(['*.md', '!README.md', 'README*'], 'README.md')).toBe(true)
    expect(isIgnored(['docs', '!docs/keep'], 'docs/keep')).toBe(false)
    expect(isIgnored(['docs', '!docs/keep'], 'docs/keep/more')).toBe(false)
    expect(isIgnored(['docs', '!docs/keep'], 'docs/other')).toBe(true)
  })

  it('look into an ignored folder only where something of it may be taken back', () => {
    const rules = ignoreRules(['*', '!src/app', '!a*/x'])
    expect(rules.mayTakeBack('src')).toBe(true)
    expect(rules.mayTakeBack('src/app/deep')).toBe(true)
    expect(rules.mayTakeBack('src/other')).toBe(true)
    expect(ignoreRules(['*', '!src/app']).mayTakeBack('node_modules')).toBe(false)
  })
})

it('a file has comments, empty lines and spaces around patterns', () => {
  expect(readDockerignore('\ufeff# a\n\n  b \r\n #c\n!d\n')).toEqual(['b', '#c', '!d'])
})
