import { describe, expect, it } from 'vitest'
import { dockerSocket } from './docker-socket.ts'

describe('the socket of the Docker Engine', () => {
  it('is the one that DOCKER_HOST names', () => {
    expect(dockerSocket({ DOCKER_HOST: 'unix:///srv/docker.sock' }, () => false)).toBe('/srv/docker.sock')
  })

  it("is Docker's usual one, or Podman's where only that is there", () => {
    expect(dockerSocket({}, () => true)).toBe('/var/run/docker.sock')
    expect(dockerSocket({}, (path) => path.includes('podman'))).toBe('/run/podman/podman.sock')
    expect(dockerSocket({ DOCKER_HOST: '' }, () => false)).toBe('/var/run/docker.sock')
  })

  it.each(['tcp://10.0.0.1:2376', 'ssh://root@host'])('refuses another machine: %s', (host) => {
    expect(() => dockerSocket({ DOCKER_HOST: host })).toThrow(
      expect.objectContaining({ code: 'docker.unreachable', message: expect.stringContaining(host) }),
    )
  })
})
