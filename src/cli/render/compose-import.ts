import type { ImportRow } from '../../config/compose/import-table.ts'
import type { Fate } from '../../config/compose/rules/key-rule.ts'
import type { Paint } from './paint.ts'
import { printable } from './printable.ts'
import { renderTable } from './table.ts'

const colours = { carried: 'green', changed: 'yellow', dropped: 'dim', refused: 'red' } as const

/** What became of each part of a Compose project. */
export function renderImport(rows: readonly ImportRow[], paint: Paint): string {
  const cells = rows.map(({ service, key, fate, text, file, line, column }) => [
    printable(service ?? '-'),
    printable(key === '' ? '-' : key),
    paint(colours[fate], fate),
    printable(`${file}:${line}:${column}`),
    printable(text),
  ])
  return renderTable(['SERVICE', 'KEY', 'FATE', 'WHERE', 'WHAT IT BECAME, OR WHY NOT'], cells)
}

export function countFates(rows: readonly ImportRow[]): Readonly<Record<Fate, number>> {
  const count = (fate: Fate): number => rows.filter((row) => row.fate === fate).length
  return {
    carried: count('carried'),
    changed: count('changed'),
    dropped: count('dropped'),
    refused: count('refused'),
  }
}
