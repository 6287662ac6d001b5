import { expect, it } from 'vitest'
import { impliedTarget } from './implied-target.ts'

it('is docker where an Engine has its socket on this machine', () => {
  const at = (socket: string) => (path: string) => path === socket
  expect(impliedTarget({}, at('/var/run/docker.sock'))).toBe('docker')
  expect(impliedTarget({}, at('/nowhere'))).toBe('local')
  const named = { DOCKER_HOST: 'unix:///srv/docker.sock' }
  expect(impliedTarget(named, at('/srv/docker.sock'))).toBe('docker')
  expect(impliedTarget(named, at('/var/run/docker.sock'))).toBe('local')
  expect(impliedTarget({ DOCKER_HOST: 'tcp://10.0.0.1:2376' }, () => true)).toBe('local')
})
