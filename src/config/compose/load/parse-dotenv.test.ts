import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDotenv, parseRawEnvironment } from './parse-dotenv.ts'

const shell = (name: string): string | undefined => (name === 'HOME' ? '/root' : undefined)
const valuesOf = (text: string) =>
  Object.fromEntries(parseDotenv(text, shell).variables.map(({ name, value }) => [name, value]))

describe('parseDotenv', () => {
  it.each([
    ['A=b', 'b'],
    ['A: b', 'b'],
    ['  A = b  ', 'b'],
    ['export A=b', 'b'],
    ['A=', ''],
    ['A', null],
    ['A=b # comment', 'b'],
    ['A=b# no comment', 'b# no comment'],
    ['A=# comment', ''],
    ['A="b # c" # comment', 'b # c'],
    ["A='$HOME'", '$HOME'],
    ["A='it\\'s'", "it's"],
    ["A='a\\tb'", 'a\\tb'],
    ['A="a\\tb\\n\\"c\\" \\\\"', 'a\tb\n"c" \\'],
    ['A="\\$HOME"', '$HOME'],
    ['A=$HOME/x', '/root/x'],
    ['A="${HOME}:${GONE:-d}"', '/root:d'],
    ['A=a=b=c', 'a=b=c'],
    ['A="one\ntwo"', 'one\ntwo'],
    ["A='one\n# two'", 'one\n# two'],
    ['\uFEFFA=b', 'b'],
  ])('reads %j', (text, value) => expect(valuesOf(text)).toEqual({ A: value }))

  it('lets a line use those before it, and the shell before them', () => {
    expect(valuesOf('HOME=/mine\nX=1\nY=$X$HOME')).toEqual({ HOME: '/mine', X: '1', Y: '1/root' })
  })

  it.each([
    ['A=1\n=b', 2, /no `NAME=value`/],
    ['A=1\n\nB="open', 3, /not closed/],
    ['A=$5', 1, /no variable/],
    ['A=${B:?missing}', 1, /required: missing/],
  ])('says where %j is wrong', (text, line, fact) => {
    const { faults } = parseDotenv(text, shell)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatchObject({ line, fact: expect.stringMatching(fact) as string })
  })

  it('reads back every value in single quotes, if it holds none and no backslash', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }).filter((text) => !/['\\\r]/.test(text)),
        (value) => {
          expect(valuesOf(`A='${value}'`)).toEqual({ A: value })
        },
      ),
    )
  })

  it('answers for every text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('A', '=', '"', "'", '\\', '$', '{', '}', '#', ' ', '\n') }),
        (text) => {
          const { variables, faults } = parseDotenv(text, shell)
          for (const { line } of [...variables, ...faults]) expect(line).toBeGreaterThan(0)
        },
      ),
    )
  })
})

describe('parseRawEnvironment', () => {
  it('takes everything behind the first `=`', () => {
    const { variables } = parseRawEnvironment('A="$X" # y\n\n# no\nB')
    expect(variables.map(({ name, value }) => [name, value])).toEqual([
      ['A', '"$X" # y'],
      ['B', null],
    ])
  })
})
