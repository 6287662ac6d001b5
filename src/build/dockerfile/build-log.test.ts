import { expect, it } from 'vitest'
import type { ProgressEvent } from '../../core/op.ts'
import { createBuildLog } from './build-log.ts'

function open() {
  const events: ProgressEvent[] = []
  const op = {
    signal: new AbortController().signal,
    notify: (event: ProgressEvent) => void events.push(event),
  }
  return { log: createBuildLog('web', op), messages: () => events.map(({ message }) => message) }
}

it('tells and keeps whole lines, those of two steps apart', () => {
  const { log, messages } = open()
  log.write('one\ntw', 'a', '#1 ')
  log.write('uno\n', 'b', '#2 ')
  log.write('o\r\n\n 10%\r 90%\n', 'a', '#1 ')
  expect(messages()).toEqual(['web: #1 one', 'web: #2 uno', 'web: #1 two', 'web: #1  90%'])
  expect(log.last(2, 'a')).toEqual(['two', ' 90%'])
  log.write('unfinished', 'a')
  expect(log.last(1, 'a')).toEqual(['unfinished'])
  expect(log.text()).toBe('#1 one\n#2 uno\n#1 two\n#1  90%\nunfinished\n')
})

it('hides secrets, also each line of one that has several, but nothing that is short', () => {
  const { log } = open()
  log.hide(Buffer.from('-----BEGIN\nabcdefgh\nxy\n'))
  log.write('got abcdefgh and xy and -----BEGIN\n')
  expect(log.text()).toBe('got *** and xy and ***\n')
})

it('shows what was written instead of what stands for it', () => {
  const { log } = open()
  log.replace('basalt.invalid/base:0', 'node:1')
  log.line('FROM basalt.invalid/base:0')
  expect(log.text()).toBe('FROM node:1\n')
})

it('leaves out the middle of what is very long', () => {
  const { log } = open()
  const line = `${'x'.repeat(9_999)}\n`
  log.write('first\n')
  for (let count = 0; count < 2_000; count++) log.write(line)
  log.write('last\n')
  expect(log.text().length).toBeLessThan(14 << 20)
  expect(log.text()).toMatch(/^first\n/)
  expect(log.text()).toMatch(/\n… \d+ lines left out …\n/)
  expect(log.text()).toMatch(/\nlast\n$/)
})
