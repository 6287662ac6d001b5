import type { BuildGrade } from '../builder.ts'
import type { PinnedPlace } from './backend.ts'
import type { Dockerfile, Stage } from './parse/parse-dockerfile.ts'

export interface Grading {
  readonly grade: BuildGrade
  readonly reasons: readonly string[]
}

/**
 * How far a build can be made again, before anybody tried: `inputs pinned` at best. What a RUN fetches from the network
 * cannot be seen, so that is said and does not count; an ADD from the network can be seen, and counts.
 */
export function gradeOf(dockerfile: Dockerfile, target: number, bases: readonly PinnedPlace[]): Grading {
  const stages = neededStages(dockerfile, target)
  const unpinned = [
    ...new Set(
      bases
        .filter(({ onlyHere }) => onlyHere)
        .map(({ reference }) => `only this machine has the base image ${reference}`),
    ),
    ...stages.flatMap(({ instructions }) =>
      instructions
        .filter(({ keyword, text }) => keyword === 'ADD' && isUnpinnedDownload(text))
        .map(({ line }) => `ADD in line ${line} fetches what is not pinned`),
    ),
  ]
  const runs = stages.flatMap(({ instructions }) =>
    instructions.filter(
      ({ keyword, text }) => keyword === 'RUN' && !/^(?:--\S+\s+)*--network=none\b/.test(text),
    ),
  )
  const unseen =
    runs.length === 0
      ? []
      : [`what RUN fetches from the network is not pinned (line ${runs.map(({ line }) => line).join(', ')})`]
  return {
    grade: unpinned.length === 0 ? 'inputs pinned' : 'recorded only',
    reasons: [...unpinned, ...unseen],
  }
}

const isUnpinnedDownload = (text: string): boolean =>
  /(?:^|\s)(?:https?:\/\/|git@|git:\/\/)/.test(text) && !/--checksum=/.test(text)

function neededStages({ stages }: Dockerfile, target: number): readonly Stage[] {
  const needed = new Set<number>()
  const pending = [target]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (needed.has(next)) continue
    needed.add(next)
    pending.push(...(stages[next]?.needs ?? []))
  }
  return stages.filter((_, index) => needed.has(index))
}
