import { expect, it } from 'vitest'
import { isMountable } from './container-path.ts'

it.each(['/data', '/var/lib/x', '/dev/shm', '/process'])('%s may be mounted on', (path) => {
  expect(isMountable(path)).toBe(true)
})

it.each(['/', '/proc', '/proc/1', '/sys', '/dev/null', 'data', '/a/../b', '/a//b', '/a/', '/./a', ''])(
  '"%s" may not',
  (path) => {
    expect(isMountable(path)).toBe(false)
  },
)
