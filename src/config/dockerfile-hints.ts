import { readLines } from '../util/dockerfile-lines.ts'
import { expandVariables } from '../util/expand-variables.ts'

export interface DockerfileHints {
  readonly ports: readonly number[]
  /** Null: there is none; undefined: inherited from a base image, or in the shell's form. */
  readonly entrypoint: readonly string[] | null | undefined
}

interface Stage {
  ports: number[]
  entrypoint: readonly string[] | null | undefined
  /** Of ARG and ENV, as far as the file itself gives them values. */
  readonly values: Map<string, string>
}

/** What a Dockerfile says of the ports and the entrypoint of its target (without one: its last stage). */
export function dockerfileHints(text: string, target: string | null): DockerfileHints {
  const stages = new Map<string, Stage>()
  const preamble = new Map<string, string>()
  let stage: Stage = { ports: [], entrypoint: undefined, values: preamble }
  let isTarget = false
  for (const { keyword, text: rest } of readLines(text).instructions) {
    if (keyword === 'FROM') {
      if (isTarget) break
      const words = rest.split(/\s+/).filter((word) => !word.startsWith('--'))
      const base = stages.get((words[0] ?? '').toLowerCase())
      stage =
        base === undefined
          ? { ports: [], entrypoint: undefined, values: new Map(preamble) }
          : { ...base, ports: [...base.ports], values: new Map([...preamble, ...base.values]) }
      const alias = /^as$/i.test(words[1] ?? '') ? (words[2] ?? '').toLowerCase() : null
      if (alias !== null) stages.set(alias, stage)
      isTarget = alias !== null && alias === target?.toLowerCase()
    } else if (keyword === 'EXPOSE') stage.ports.push(...exposedPorts(expandVariables(rest, stage.values)))
    else if (keyword === 'ARG' || keyword === 'ENV') readValues(rest, stage.values)
    else if (keyword === 'ENTRYPOINT') stage.entrypoint = execForm(rest)
  }
  return { ports: [...new Set(stage.ports)], entrypoint: stage.entrypoint }
}

const exposedPorts = (rest: string): readonly number[] =>
  rest
    .trim()
    .split(/\s+/)
    .flatMap((word) => {
      const [, port] = /^(\d{1,5})(?:-\d{1,5})?(?:\/tcp)?$/i.exec(word) ?? []
      return port === undefined || Number(port) < 1 || Number(port) > 65_535 ? [] : [Number(port)]
    })

/** `NAME=value …`, or ENV's old form `NAME value`. An ARG without a value keeps the one from before the first FROM. */
function readValues(text: string, values: Map<string, string>): void {
  const [, oldName, oldValue = ''] = /^(\w+)\s+([^=]+)$/.exec(text.trim()) ?? []
  if (oldName !== undefined) values.set(oldName, expandVariables(oldValue, values))
  for (const [, name = '', quoted = ''] of text.matchAll(/(\w+)=("[^"]*"|'[^']*'|\S*)/g))
    values.set(name, expandVariables(quoted.replace(/^(["'])(.*)\1$/, '$2'), values))
}

function execForm(rest: string): readonly string[] | null | undefined {
  try {
    const words: unknown = JSON.parse(rest)
    if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) return undefined
    return words.length === 0 ? null : words
  } catch {
    return undefined
  }
}
