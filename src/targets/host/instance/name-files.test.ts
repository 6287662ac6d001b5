import { describe, expect, it } from 'vitest'
import { hostsFile, withoutLoopback } from './name-files.ts'

describe('name files', () => {
  it('resolves itself, localhost and what it needs', () => {
    const text = hostsFile({ hostname: 'web-1', address: '10.130.0.2', needs: { api: '10.130.128.9' } })
    expect(text.split('\n')).toEqual(
      expect.arrayContaining(['127.0.0.1\tlocalhost', '10.130.0.2\tweb-1', '10.130.128.9\tapi']),
    )
    expect(text.endsWith('\n')).toBe(true)
  })

  it('drops resolvers on the loopback of the host', () => {
    const text = 'search lan\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 1.1.1.1\n'
    expect(withoutLoopback(text)).toBe('search lan\nnameserver 1.1.1.1\n')
  })
})
