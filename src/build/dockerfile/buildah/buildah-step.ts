import type { Instruction } from '../../../util/dockerfile-lines.ts'
import type { Dockerfile } from '../parse/parse-dockerfile.ts'

/**
 * The instruction of buildah's `STEP 2/3: RUN make`, or `[1/2] STEP 2/3: RUN make` where there are several stages: the
 * numbers count all instructions of a stage, its FROM first. A stage that is not needed is not numbered, so that what
 * the step says decides between two candidates.
 */
export function buildahStep(line: string, { stages }: Dockerfile): Instruction | null {
  const [, stageNumber, number, count, text = ''] =
    /^(?:\[(\d+)\/\d+\] )?STEP (\d+)\/(\d+): (.*)/.exec(line.trim()) ?? []
  if (number === undefined) return null
  const [keyword = ''] = text.split(/\s/)
  const candidates = [
    ...(stageNumber === undefined
      ? stages.slice(-1)
      : stages.slice(Number(stageNumber) - 1, Number(stageNumber))),
    ...stages.filter(({ instructions }) => instructions.length + 1 === Number(count)),
    ...stages,
  ]
  for (const { instructions } of candidates) {
    const found = instructions[Number(number) - 2]
    if (found?.keyword === keyword.toUpperCase()) return found
  }
  return null
}
