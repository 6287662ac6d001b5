import { machinePlatform } from '../../../images/image.ts'
import { type DockerfileLines, type Instruction, readLines } from '../../../util/dockerfile-lines.ts'
import { editDistance } from '../../../util/edit-distance.ts'
import { expandVariables } from '../../../util/expand-variables.ts'
import { dockerfileMistake } from './dockerfile-mistake.ts'

/** A Dockerfile as far as it decides what is built from what. */
export interface Dockerfile {
  readonly text: string
  readonly stages: readonly Stage[]
  /** The instructions before the first FROM. */
  readonly preamble: readonly Instruction[]
  /** Places that name images: what is built from, what is copied from, and the frontend of `# syntax=`. */
  readonly images: readonly ImagePlace[]
}

export interface Stage {
  /** As `AS` says, in lower case; null without a name. */
  readonly name: string | null
  readonly from: Instruction
  /** Stages that it is made from or copies from. */
  readonly needs: readonly number[]
  /** Without its FROM. */
  readonly instructions: readonly Instruction[]
}

/** Where a Dockerfile names an image that it does not make itself. */
export interface ImagePlace {
  /** With all variables replaced. */
  readonly reference: string
  /** The stretch of the file that stands for it. */
  readonly start: number
  readonly end: number
  readonly line: number
  /** Null: the frontend, which only BuildKit heeds. */
  readonly stage: number | null
}

const keywords: ReadonlySet<string> = new Set(
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR'.split(
    ' ',
  ),
)

/**
 * Reads a Dockerfile. What it says beyond stages and images is left to the builder. Throws `build.dockerfile-invalid`.
 *
 * @param file its name in messages
 * @param args replace the defaults of `ARG` before the first FROM
 */
export function parseDockerfile(
  file: string,
  text: string,
  args: Readonly<Record<string, string>>,
): Dockerfile {
  const lines = readLines(text)
  check(file, lines)
  const first = lines.instructions.findIndex(({ keyword }) => keyword === 'FROM')
  const preamble = lines.instructions.slice(0, first)
  const variables = globalArguments(preamble, args)
  const stages: { -readonly [Key in keyof Stage]: Stage[Key] }[] = []
  const images: ImagePlace[] = []
  if (lines.syntax !== null) {
    const { reference, start, line } = lines.syntax
    images.push({ reference, start, end: start + reference.length, line, stage: null })
  }
  for (const instruction of lines.instructions.slice(first)) {
    const sources = instruction.keyword === 'FROM' ? [fromOf(file, instruction)] : copySources(instruction)
    const name = instruction.keyword === 'FROM' ? stageName(instruction) : null
    const index = instruction.keyword === 'FROM' ? stages.length : stages.length - 1
    const needs: number[] = []
    for (const { word, start, end } of sources) {
      const reference = expandVariables(word, variables)
      if (reference === '')
        throw dockerfileMistake(
          file,
          instruction.line,
          `\`${word}\` names no image: a variable in it has no value`,
          'Give it one: `ARG NAME=default` before the first FROM, or `args` in basalt.yaml.',
        )
      const stage = stageOf(reference, stages, instruction.keyword)
      if (stage !== null) needs.push(stage)
      else if (reference !== 'scratch')
        images.push({ reference, start, end, line: instruction.line, stage: index })
    }
    if (instruction.keyword === 'FROM') stages.push({ name, from: instruction, needs, instructions: [] })
    else {
      const current = stages[index]
      if (current === undefined) continue
      current.needs = [...current.needs, ...needs]
      current.instructions = [...current.instructions, instruction]
    }
  }
  return { text, stages, preamble, images }
}

function check(file: string, { instructions, syntax, openHeredoc }: DockerfileLines): void {
  if (openHeredoc !== null) throw dockerfileMistake(file, openHeredoc, 'its heredoc is not ended')
  // Another frontend may know other instructions.
  const isStandard =
    syntax === null || /^(?:docker\.io\/)?docker\/dockerfile(?:[:@]|$)/.test(syntax.reference)
  const [first] = instructions.filter(({ keyword }) => keyword !== 'ARG')
  for (const { keyword, line } of isStandard ? instructions : [])
    if (!keywords.has(keyword)) {
      const close = closestKeyword(keyword)
      throw dockerfileMistake(
        file,
        line,
        `unknown instruction ${keyword}${close === undefined ? '' : `; did you mean ${close}?`}`,
      )
    }
  if (first === undefined) throw dockerfileMistake(file, null, 'it has no FROM')
  if (first.keyword !== 'FROM')
    throw dockerfileMistake(file, first.line, `${first.keyword} stands before the first FROM`)
}

function closestKeyword(keyword: string): string | undefined {
  const [closest] = [...keywords]
    .map((known) => ({ known, distance: editDistance(known, keyword) }))
    .toSorted((a, b) => a.distance - b.distance)
  return closest !== undefined && closest.distance <= 2 ? closest.known : undefined
}

function globalArguments(
  preamble: readonly Instruction[],
  args: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  const { os, architecture } = machinePlatform
  const platform = `${os}/${architecture}`
  const values = new Map<string, string>()
  for (const side of ['BUILD', 'TARGET']) {
    values.set(`${side}PLATFORM`, platform)
    values.set(`${side}OS`, os)
    values.set(`${side}ARCH`, architecture)
  }
  for (const { text } of preamble)
    for (const [, name = '', , value] of text.matchAll(/(\w+)(=("[^"]*"|'[^']*'|\S*))?/g)) {
      const given = args[name]
      if (given !== undefined) values.set(name, given)
      else if (value !== undefined)
        values.set(name, expandVariables(value.replace(/^(["'])(.*)\1$/, '$2'), values))
    }
  return values
}

interface Word {
  readonly word: string
  /** In the file. */
  readonly start: number
  readonly end: number
}

function wordsOf({ text, offsets }: Instruction): readonly Word[] {
  return [...text.matchAll(/\S+/g)].map(({ 0: word, index }) => wordAt(word, index, offsets))
}

const wordAt = (word: string, index: number, offsets: readonly number[]): Word => ({
  word,
  start: offsets[index] ?? 0,
  end: (offsets[index + word.length - 1] ?? 0) + 1,
})

function fromOf(file: string, instruction: Instruction): Word {
  const words = wordsOf(instruction).filter(({ word }) => !word.startsWith('--'))
  const [image, as, name] = words
  const isSound =
    image !== undefined &&
    (words.length === 1 || (words.length === 3 && as?.word.toLowerCase() === 'as' && name !== undefined))
  if (!isSound)
    throw dockerfileMistake(file, instruction.line, 'FROM takes an image, or an image and `AS name`')
  return image
}

function stageName(instruction: Instruction): string | null {
  const words = wordsOf(instruction).filter(({ word }) => !word.startsWith('--'))
  return words[2]?.word.toLowerCase() ?? null
}

/** `COPY --from=…` and `RUN --mount=from=…`. */
function copySources(instruction: Instruction): readonly Word[] {
  const { keyword, text, offsets } = instruction
  if (keyword === 'COPY' || keyword === 'ADD') {
    const [, before = '', word] = /^((?:--\S+\s+)*?--from=)(\S+)/.exec(text) ?? []
    return word === undefined ? [] : [wordAt(word, before.length, offsets)]
  }
  if (keyword !== 'RUN') return []
  const [flags = ''] = /^(?:--\S+\s*)*/.exec(text) ?? []
  return [...flags.matchAll(/(?<=--mount=\S*?(?<=[=,])from=)[^\s,]+/g)].map(({ 0: word, index }) =>
    wordAt(word, index, offsets),
  )
}

/** A stage before this one, by its name or (not in FROM) its number; null: another image. */
function stageOf(reference: string, stages: readonly Stage[], keyword: string): number | null {
  const named = stages.findLastIndex(({ name }) => name === reference.toLowerCase())
  if (named >= 0) return named
  const isNumber = keyword !== 'FROM' && /^\d+$/.test(reference)
  return isNumber && Number(reference) < stages.length ? Number(reference) : null
}

/** The stage that is built; the last one where none is named. Throws `build.dockerfile-invalid`. */
export function targetStage(file: string, { stages }: Dockerfile, target: string | null): number {
  if (target === null) return stages.length - 1
  const named = stages.findLastIndex(({ name }) => name === target.toLowerCase())
  if (named >= 0) return named
  if (/^\d+$/.test(target) && Number(target) < stages.length) return Number(target)
  const names = stages.flatMap(({ name }) => (name === null ? [] : [name]))
  throw dockerfileMistake(
    file,
    null,
    `it has no stage \`${target}\``,
    names.length === 0 ? 'Name a stage: `FROM image AS name`.' : `Its stages are ${names.join(', ')}.`,
  )
}

/** The images that a stage is really made from: those of stages that it does not need are not asked for. */
export function imagesOf({ stages, images }: Dockerfile, target: number): readonly ImagePlace[] {
  const needed = new Set<number>()
  const pending = [target]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (needed.has(next)) continue
    needed.add(next)
    pending.push(...(stages[next]?.needs ?? []))
  }
  return images.filter(({ stage }) => stage === null || needed.has(stage))
}

/** The text with images replaced where they stand, so that every line keeps its number. */
export function replaceImages(
  text: string,
  places: readonly (ImagePlace & { readonly by: string })[],
): string {
  return places
    .toSorted((a, b) => b.start - a.start)
    .reduce((done, { start, end, by }) => {
      // A reference that a continuation cuts in two keeps the line break behind it.
      const breaks = done.slice(start, end).replaceAll(/[^\n]/g, '').length
      return `${done.slice(0, start)}${by}${' \\\n'.repeat(breaks)}${done.slice(end)}`
    }, text)
}
