import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitArguments } from './split-arguments.ts'

describe('splitArguments', () => {
  it.each([
    ['node server.js', ['node', 'server.js']],
    ['  node\t--x=1  a ', ['node', '--x=1', 'a']],
    [`redis-server --save "" --name 'a b'`, ['redis-server', '--save', '', '--name', 'a b']],
    [`echo a"b c"'d e'f`, ['echo', 'ab cd ef']],
    [String.raw`echo a\ b "c\"d" 'e\f'`, ['echo', 'a b', 'c"d', String.raw`e\f`]],
    [`echo '$HOME' "it's"`, ['echo', '$HOME', "it's"]],
  ])('splits %j', (line, expected) => {
    expect(splitArguments(line)).toEqual({ ok: true, arguments: expected })
  })

  it.each(['a && b', 'a | b', 'a > f', 'a $B', 'a "$B"', 'a `b`', 'A=1 b', '(a)', 'a *.js', 'a; b', 'a\nb'])(
    'refuses the shell syntax of %j',
    (line) => {
      expect(splitArguments(line)).toEqual({ ok: false, fact: 'uses shell syntax' })
    },
  )

  it.each([
    ['', 'is blank'],
    ['  ', 'is blank'],
    ['a "b', 'has a quote that is not closed'],
    ['a \\', 'ends with a backslash'],
  ])('refuses %j', (line, fact) => {
    expect(splitArguments(line)).toEqual({ ok: false, fact })
  })

  it('agrees with a real shell on whatever it accepts', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      '-',
      '=',
      '/',
      '.',
      ' ',
      '  ',
      '"',
      "'",
      '\\',
      '""',
      "'x y'",
      '"x y"',
    )
    const lines = fc
      .sample(fc.array(piece, { maxLength: 12 }), { numRuns: 300, seed: 1 })
      .map((pieces) => `x${pieces.join('')}`)
    const accepted = lines.flatMap((line) => {
      const split = splitArguments(line)
      return split.ok ? [{ line, words: split.arguments }] : []
    })
    expect(accepted.length).toBeGreaterThan(50)
    const script = accepted.map(({ line }) => `printf '%s\\0' ${line}; printf '\\n'`).join('\n')
    const shell = spawnSync('sh', ['-c', script], { encoding: 'utf8' })
    expect(shell.stdout.split('\n').slice(0, -1)).toEqual(
      accepted.map(({ words }) => words.map((word) => `${word}\0`).join('')),
    )
  })
})
