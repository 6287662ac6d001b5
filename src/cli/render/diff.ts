import type { DiffResult } from '../../engine/engine.ts'
import type { Paint } from './paint.ts'
import { printable } from './printable.ts'

/** What differs, grouped by service: `-` what was, `+` what is. */
export function renderDiff(diff: DiffResult, paint: Paint): string {
  const head = `${diff.from.name} → ${diff.to.name}`
  if (diff.changes.length === 0) return `${head}: the releases are the same`
  const groups = Map.groupBy(diff.changes, (change) => splitPath(change.path)[0])
  const sections = [...groups].map(([group, changes]) =>
    [
      paint('bold', group),
      ...changes.flatMap((change) => [
        `  ${splitPath(change.path)[1]}`,
        ...side('-', change.from).map((line) => paint('red', line)),
        ...side('+', change.to).map((line) => paint('green', line)),
      ]),
    ].join('\n'),
  )
  return [head, ...sections].join('\n\n')
}

/** `services.web.run.env.X` is about `web`, and there about `run.env.X`. */
function splitPath(path: string): readonly [group: string, rest: string] {
  const service = /^services\.([^.]+)(?:\.(.+))?$/.exec(path)
  return service === null ? ['release', path] : [service[1] ?? '', service[2] ?? '(the whole service)']
}

function side(sign: '-' | '+', value: unknown): readonly string[] {
  if (value === undefined) return []
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2)
  return text.split('\n').map((line) => `    ${sign} ${printable(line)}`)
}
