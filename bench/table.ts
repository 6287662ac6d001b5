import { type BenchRow, type Goal, meetsGoal } from './row.ts'

const heads = ['what', 'Basalt', 'beside', 'ratio', 'goal', '']

/** A Markdown table that reads well in a terminal too. */
export function renderTable(rows: readonly BenchRow[]): string {
  const cells = rows.map(cellsOf)
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...cells.map((line) => line[column]?.length ?? 0)),
  )
  const line = (words: readonly string[]): string =>
    `| ${words.map((word, column) => word.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`
  return [line(heads), rule, ...cells.map(line)].join('\n')
}

function cellsOf(row: BenchRow): readonly string[] {
  const { name, unit, ours, peer, against, ratio, goal } = row
  const met = meetsGoal(row)
  return [
    name,
    ours === null ? '' : `${shown(ours)} ${unit}`,
    peer === null ? '' : `${shown(peer)} ${unit}: ${against}`,
    ratio === null ? '' : shown(ratio),
    goal === null ? '' : goalText(goal, unit),
    met === null ? '' : met ? 'met' : 'missed',
  ]
}

function goalText({ of, is, limit }: Goal, unit: string): string {
  const sign = is === 'at most' ? '≤' : '≥'
  return of === 'ratio' ? `${sign} ${shown(limit)} ×` : `${sign} ${shown(limit)} ${unit}`
}

/** Three digits that mean something; more would pretend a precision that no such run has. */
function shown(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return value.toPrecision(value < 1 ? 2 : 3).replace(/\.?0+$/, '')
}
