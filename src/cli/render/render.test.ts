import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LiveProgress } from './live-progress.ts'
import { formatSize } from './names.ts'
import { type Paint, plainPaint } from './paint.ts'
import { printable } from './printable.ts'
import { displayWidth, renderTable } from './table.ts'

describe('printable', () => {
  it('leaves nothing that a terminal would obey', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // All of C0 but tab, DEL, C1, and the marks that turn the direction of writing.
        expect(printable(text)).not.toMatch(
          /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/,
        )
      }),
    )
  })

  it('shows what was there, and leaves other text alone', () => {
    expect(printable('\u001b]0;title\u0007')).toBe('\\x1b]0;title\\x07')
    expect(printable('naïve → 日本 🙂\ttab')).toBe('naïve → 日本 🙂\ttab')
  })
})

describe('renderTable', () => {
  const red: Paint = (_style, text) => `\u001b[31m${text}\u001b[39m`

  it('lines columns up, whatever their colours and widths', () => {
    const text = renderTable(
      ['A', 'B', 'C'],
      [
        [red('red', 'long cell'), '日本', 'x'],
        ['s', 'b', ''],
      ],
    )
    expect(stripVTControlCharacters(text).split('\n')).toEqual([
      'A          B     C',
      'long cell  日本  x',
      's          b',
    ])
  })

  it('counts cells as a terminal does', () => {
    expect(['abc', 'é', 'e\u0301', '日本', '🙂', '→', red('red', 'ab')].map(displayWidth)).toEqual([
      3, 1, 1, 4, 2, 1, 2,
    ])
  })
})

describe('LiveProgress', () => {
  /** What a terminal of that size shows after everything that was written. */
  function screen(columns: number, rows: number) {
    let lines: string[] = ['']
    let row = 0
    const write = (text: string): void => {
      for (const [token] of text.matchAll(/\u001b\[\d*[A-Za-z]|\u001b\[\?25[lh]|[^\u001b]/gu)) {
        const up = /^\u001b\[(\d+)F$/.exec(token)
        if (up) row = Math.max(0, row - Number(up[1]))
        else if (token === '\u001b[0J') lines = [...lines.slice(0, row), '']
        else if (token === '\n') {
          row++
          lines[row] ??= ''
        } else if (token.length <= 2 && token !== '\r') lines[row] += token
      }
    }
    return { columns, rows, write, lines: () => lines }
  }

  it('keeps one row for each service, fits the terminal, and leaves nothing behind', () => {
    const terminal = screen(40, 8)
    const live = new LiveProgress(terminal, plainPaint, 'shop@2 → shop/staging')
    for (let service = 0; service < 20; service++) {
      const data = { service: `service-${service}` }
      live.show({ code: 'group.starting', message: `service-${service}: ${'starting '.repeat(9)}`, data })
      live.show({
        code: 'group.healthy',
        message: `service-${service}: \u001b[2J日本${'本'.repeat(30)}`,
        data,
      })
    }
    live.show({ code: 'deployment.phase', message: '', data: { phase: 'switching' } })
    const shown = terminal.lines().filter((line) => line !== '')
    expect(shown[0]).toContain('shop@2 → shop/staging · switching')
    expect(shown.length).toBeLessThanOrEqual(8 - 2)
    expect(shown.at(-1)).toContain('service-19: 日本')
    for (const line of shown) expect(displayWidth(line)).toBeLessThan(40)
    live.stop()
    expect(terminal.lines().join('')).toBe('')
  })

  it('leaves what a person has to know afterwards', () => {
    const terminal = screen(40, 8)
    const live = new LiveProgress(terminal, plainPaint, 'building')
    live.show({ code: 'build.layer', message: 'web: a layer' })
    live.show({ code: 'build.lock-written', message: 'basalt.lock was written: commit it' })
    live.show({ code: 'build.layer', message: 'web: another' })
    live.stop()
    expect(terminal.lines().filter((line) => line !== '')).toEqual(['basalt.lock was written: commit it'])
  })
})

it('formatSize', () => {
  expect([0, 812, 999, 1_000, 4_200_000, 999_600, 123_000_000, 82_100_000_000].map(formatSize)).toEqual([
    '0 B',
    '812 B',
    '999 B',
    '1.0 kB',
    '4.2 MB',
    '1.0 MB',
    '123 MB',
    '82.1 GB',
  ])
})
