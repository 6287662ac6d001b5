export interface DockerfileHints {
  readonly ports: readonly number[]
  /** Null: there is none; undefined: inherited from a base image, or in the shell's form. */
  readonly entrypoint: readonly string[] | null | undefined
}

interface Stage {
  ports: number[]
  entrypoint: readonly string[] | null | undefined
}

/** What a Dockerfile says of the ports and the entrypoint of its target (without one: its last stage). */
export function dockerfileHints(text: string, target: string | null): DockerfileHints {
  const stages = new Map<string, Stage>()
  let stage: Stage = { ports: [], entrypoint: undefined }
  let isTarget = false
  for (const instruction of instructions(text)) {
    const [, keyword = '', rest = ''] = /^(\w+)\s+([\s\S]*)$/.exec(instruction) ?? []
    if (/^from$/i.test(keyword)) {
      if (isTarget) break
      const words = rest.split(/\s+/).filter((word) => !word.startsWith('--'))
      const base = stages.get((words[0] ?? '').toLowerCase())
      stage = base === undefined ? { ports: [], entrypoint: undefined } : { ...base, ports: [...base.ports] }
      const alias = /^as$/i.test(words[1] ?? '') ? (words[2] ?? '').toLowerCase() : null
      if (alias !== null) stages.set(alias, stage)
      isTarget = alias !== null && alias === target?.toLowerCase()
    } else if (/^expose$/i.test(keyword)) stage.ports.push(...exposedPorts(rest))
    else if (/^entrypoint$/i.test(keyword)) stage.entrypoint = execForm(rest)
  }
  return { ports: [...new Set(stage.ports)], entrypoint: stage.entrypoint }
}

/** Continuation lines joined, comments left out. */
function instructions(text: string): readonly string[] {
  const found: string[] = []
  let open = ''
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*#/.test(line) || (open === '' && line.trim() === '')) continue
    if (/\\\s*$/.test(line)) open += `${line.replace(/\\\s*$/, '')} `
    else {
      found.push((open + line).trim())
      open = ''
    }
  }
  return found
}

const exposedPorts = (rest: string): readonly number[] =>
  rest
    .trim()
    .split(/\s+/)
    .flatMap((word) => {
      const [, port] = /^(\d{1,5})(?:\/tcp)?$/.exec(word) ?? []
      return port === undefined || Number(port) < 1 || Number(port) > 65_535 ? [] : [Number(port)]
    })

function execForm(rest: string): readonly string[] | null | undefined {
  try {
    const words: unknown = JSON.parse(rest)
    if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) return undefined
    return words.length === 0 ? null : words
  } catch {
    return undefined
  }
}
