import { BasaltError } from '../../errors.ts'
import type { Instruction } from '../../util/dockerfile-lines.ts'
import { dockerfileMistake } from './parse/dockerfile-mistake.ts'
import type { Dockerfile } from './parse/parse-dockerfile.ts'

const shownLines = 20

/** A step of a Dockerfile that failed: where it stands, what it printed last, and what the builder says of it. */
export function stepFailure(
  file: string,
  step: Instruction | null,
  said: string,
  lastLines: readonly string[],
): BasaltError {
  const place = step === null ? file : `${file}:${step.line}`
  const what = step === null ? 'a step' : oneLine(`${step.keyword} ${step.text}`)
  const shown = lastLines.slice(-shownLines)
  return new BasaltError('build.step-failed', {
    message: [`${place}: ${what} failed: ${said}`, ...shown.map((line) => `    ${line}`)].join('\n'),
    remedy: 'Correct the step and build again: basalt build',
    details: {
      dockerfile: file,
      ...(step === null ? {} : { dockerfileLine: step.line, step: `${step.keyword} ${step.text}` }),
      lastLines: shown,
      said,
    },
  })
}

const oneLine = (text: string): string => {
  const joined = text.replaceAll(/\s+/g, ' ')
  return joined.length <= 120 ? joined : `${joined.slice(0, 119)}…`
}

/** What a parser of Docker's family says of a Dockerfile: `dockerfile parse error line 3: unknown instruction: RUNN`. */
export function syntaxFailure(file: string, said: string): BasaltError | null {
  const [, line, fact] = /(?:dockerfile )?parse error(?: on)? line (\d+): ([^\n]*)/i.exec(said) ?? []
  if (line !== undefined && fact !== undefined) return dockerfileMistake(file, Number(line), fact)
  return null
}

const layerInstructions: ReadonlySet<string> = new Set(['RUN', 'COPY', 'ADD', 'WORKDIR'])

/**
 * The instruction of a BuildKit step by its name, `[build 2/3] RUN make`: the numbers count the instructions of the
 * stage that make layers, and its FROM where that is an image.
 */
export function stepOfVertex(name: string, { stages }: Dockerfile): Instruction | null {
  const [, label = '', number, count] = /^\[(?:(.+?) )?(\d+)\/(\d+)\] /.exec(name) ?? []
  if (number === undefined || count === undefined) return null
  const stageName = label.split(' ').at(-1) ?? ''
  const numbered = /^stage-(\d+)$/.exec(stageName)?.[1]
  const named = stages.findLast((stage) => stage.name === stageName.toLowerCase())
  const stage = named ?? (numbered === undefined ? stages.at(-1) : stages[Number(numbered)])
  const layers = stage?.instructions.filter(({ keyword }) => layerInstructions.has(keyword)) ?? []
  const before = Number(count) - layers.length
  return layers[Number(number) - before - 1] ?? null
}

/**
 * The instruction of the classic builder's `Step 3/7` or of buildah's `STEP 3/7`.
 *
 * @param countsPreamble whether instructions before the first FROM are steps; comments and unused stages never are
 */
export function stepOfNumber(
  number: number,
  { stages, preamble }: Dockerfile,
  countsPreamble: boolean,
): Instruction | null {
  const steps = stages.flatMap(({ from, instructions }) => [from, ...instructions])
  return [...(countsPreamble ? preamble : []), ...steps][number - 1] ?? null
}
