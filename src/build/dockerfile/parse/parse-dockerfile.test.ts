import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BasaltError } from '../../../errors.ts'
import { readLines } from '../../../util/dockerfile-lines.ts'
import { expandVariables } from '../../../util/expand-variables.ts'
import { imagesOf, parseDockerfile, replaceImages, targetStage } from './parse-dockerfile.ts'

const parse = (text: string, args: Record<string, string> = {}) =>
  parseDockerfile('web/Dockerfile', text, args)
const references = (text: string, args: Record<string, string> = {}) =>
  parse(text, args).images.map(({ reference, line }) => `${line} ${reference}`)

function mistakeIn(text: string): string {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof BasaltError && error.code === 'build.dockerfile-invalid') return error.message
    throw error
  }
  return 'no mistake'
}

describe('the lines of a Dockerfile', () => {
  it('are joined at continuations, with comments and empty lines between them passed over', () => {
    const text = 'FROM a\nRUN one \\\n  # why\n\n  two \\  \n  three\nCMD x\n'
    expect(
      readLines(text).instructions.map(({ keyword, text: rest, line }) => [line, keyword, rest]),
    ).toEqual([
      [1, 'FROM', 'a'],
      [2, 'RUN', 'one   two   three'],
      [7, 'CMD', 'x'],
    ])
  })

  it('may have another escape character', () => {
    const { instructions } = readLines('# escape=`\nFROM a\nRUN dir C:\\\nRUN x `\n y\n')
    expect(instructions.map(({ text }) => text)).toEqual(['a', 'dir C:\\', 'x  y'])
  })

  it('know directives at the very top only', () => {
    expect(readLines('# a comment\n# escape=`\nFROM a\nRUN x \\\n y').instructions).toHaveLength(2)
    expect(readLines('# syntax=docker/dockerfile:1\nFROM a').syntax).toMatchObject({
      reference: 'docker/dockerfile:1',
      line: 1,
    })
  })

  it.each([
    ['RUN <<EOF\nFROM no\nEOF\n'],
    ['RUN <<-"E-F" cat\n\tFROM no\n\tE-F\n'],
    ['COPY <<a <<b /x/\nFROM no\na\nFROM no\nb\n'],
  ])('pass over what is inside of %j', (text) => {
    expect(readLines(`FROM a\n${text}CMD x\n`).instructions.map(({ keyword }) => keyword)).toEqual([
      'FROM',
      text.slice(0, text.indexOf(' ')),
      'CMD',
    ])
  })

  it('are found where they are on Windows, too', () => {
    expect(references('FROM a\r\nRUN x\r\nFROM b\r\n')).toEqual(['1 a', '3 b'])
  })
})

describe('the images of a Dockerfile', () => {
  it.each<[string, readonly string[]]>([
    ['FROM nginx:1.25', ['1 nginx:1.25']],
    ['FROM scratch', []],
    ['from --platform=linux/amd64 nginx AS web', ['1 nginx']],
    ['FROM a AS Build\nFROM build\nCOPY --from=0 /x /y', ['1 a']],
    ['FROM a\nCOPY --chown=1 --from=tools:2 /x /y', ['1 a', '2 tools:2']],
    [
      'FROM a\nRUN --mount=type=cache,target=/c --mount=type=bind,from=tools,target=/t make',
      ['1 a', '2 tools'],
    ],
    ['FROM a\nRUN echo --mount=from=no', ['1 a']],
    ['FROM a \\\n  AS b\nFROM \\\n  c', ['1 a', '3 c']],
    ['# syntax=docker/dockerfile:1\nFROM a', ['1 docker/dockerfile:1', '2 a']],
    ['ARG V=3\nARG I=node:${V}\nFROM $I', ['3 node:3']],
    ['ARG V\nFROM node:${V:-4}', ['2 node:4']],
    ['ARG V="5"\nFROM node:$V-slim', ['2 node:5-slim']],
  ])('%j', (text, expected) => {
    expect(references(text)).toEqual(expected)
  })

  it('depend on the arguments that are given', () => {
    expect(references('ARG V=3\nFROM node:$V', { V: '9' })).toEqual(['2 node:9'])
  })

  it('are those that the target needs', () => {
    const dockerfile = parse('FROM a AS x\nFROM b AS y\nFROM c AS z\nCOPY --from=x /f /f\nFROM d\n')
    const needed = (target: string | null) =>
      imagesOf(dockerfile, targetStage('web/Dockerfile', dockerfile, target)).map(
        ({ reference }) => reference,
      )
    expect(needed('z')).toEqual(['a', 'c'])
    expect(needed('Y')).toEqual(['b'])
    expect(needed('1')).toEqual(['b'])
    expect(needed(null)).toEqual(['d'])
    expect(() => needed('w')).toThrow('it has no stage `w`')
  })

  it('are replaced where they stand, every line keeping its number', () => {
    const text = 'ARG V=1\n# FROM node:1\nFROM node:$V AS b\nRUN echo node:1\nFROM \\\n  other \\\n  AS c\n'
    const { images } = parse(text)
    expect(
      replaceImages(
        text,
        images.map((place) => ({ ...place, by: `<${place.reference}>` })),
      ),
    ).toBe('ARG V=1\n# FROM node:1\nFROM <node:1> AS b\nRUN echo node:1\nFROM \\\n  <other> \\\n  AS c\n')
  })

  it('keep the number of lines whatever is between them', () => {
    const line = fc.constantFrom(
      'RUN x \\',
      'RUN x',
      '# c',
      '',
      'FROM img',
      'FROM \\',
      '  img',
      'COPY --from=o a b',
    )
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const text = `FROM first\n${lines.join('\n')}`
        try {
          const { images } = parse(text)
          const replaced = replaceImages(
            text,
            images.map((place) => ({ ...place, by: 'r@sha256:0' })),
          )
          expect(replaced.split('\n')).toHaveLength(text.split('\n').length)
        } catch (error) {
          if (!(error instanceof BasaltError)) throw error
        }
      }),
    )
  })
})

describe('mistakes', () => {
  it.each([
    ['FROM a\nRUNN x', 'web/Dockerfile:2: unknown instruction RUNN; did you mean RUN?'],
    ['FROM a\nFETCH x', 'web/Dockerfile:2: unknown instruction FETCH'],
    ['RUN x\nFROM a', 'web/Dockerfile:1: RUN stands before the first FROM'],
    ['# nothing', 'web/Dockerfile: it has no FROM'],
    ['FROM', 'web/Dockerfile:1: FROM takes an image, or an image and `AS name`'],
    ['FROM a b', 'web/Dockerfile:1: FROM takes an image, or an image and `AS name`'],
    ['FROM $NONE', 'web/Dockerfile:1: `$NONE` names no image: a variable in it has no value'],
    ['FROM a\n\nRUN <<EOF\nx', 'web/Dockerfile:3: its heredoc is not ended'],
    ['# syntax=example.org/mine\nFROM a\nINCLUDE x', 'no mistake'],
  ])('%j', (text, expected) => {
    expect(mistakeIn(text)).toBe(expected)
  })
})

describe('variables', () => {
  const values = new Map([
    ['A', 'a'],
    ['E', ''],
  ])
  it.each([
    ['$A-${A}', 'a-a'],
    ['${E:-x}${E-x}', 'x'],
    ['${N-x}${N:-${A}}', 'xa'],
    ['${A:+y}${E:+y}${E+z}', 'yz'],
    ['\\$A', '$A'],
    ['$N', ''],
  ])('%s', (text, expected) => {
    expect(expandVariables(text, values)).toBe(expected)
  })
})
