import { readFile } from 'node:fs/promises'
import { expandVariables } from './parse/expand-variables.ts'
import { type Dockerfile, parseDockerfile, targetStage } from './parse/parse-dockerfile.ts'

/**
 * The first TCP port that a Dockerfile's EXPOSE names, that of its last stage before those of others; null without one.
 * Rejects with `build.dockerfile-invalid`.
 *
 * @param name of the file in messages
 */
export async function exposedPort(path: string, name: string): Promise<number | null> {
  const dockerfile = parseDockerfile(name, await readFile(path, 'utf8'), {})
  const last = dockerfile.stages[targetStage(name, dockerfile, null)]
  const others = dockerfile.stages.toReversed().filter((stage) => stage !== last)
  for (const stage of last === undefined ? others : [last, ...others]) {
    const port = portOf(dockerfile, stage)
    if (port !== null) return port
  }
  return null
}

function portOf({ preamble }: Dockerfile, { instructions }: Dockerfile['stages'][number]): number | null {
  const values = new Map<string, string>()
  for (const { keyword, text } of [...preamble, ...instructions]) {
    if (keyword === 'ARG' || keyword === 'ENV') readVariables(text, values)
    if (keyword !== 'EXPOSE') continue
    for (const word of expandVariables(text, values).split(/\s+/)) {
      const [, first] = /^(\d{1,5})(?:-\d{1,5})?(?:\/tcp)?$/i.exec(word) ?? []
      const port = Number(first)
      if (port >= 1 && port <= 65_535) return port
    }
  }
  return null
}

/** `NAME=value …`, or ENV's old form `NAME value`. An ARG without a value keeps the one from before the first FROM. */
function readVariables(text: string, values: Map<string, string>): void {
  const [, oldName, oldValue = ''] = /^(\w+)\s+([^=]+)$/.exec(text.trim()) ?? []
  if (oldName !== undefined) values.set(oldName, expandVariables(oldValue, values))
  for (const [, name = '', quoted = ''] of text.matchAll(/(\w+)=("[^"]*"|'[^']*'|\S*)/g))
    values.set(name, expandVariables(quoted.replace(/^(["'])(.*)\1$/, '$2'), values))
}
