import { describe, expect, it } from 'vitest'
import { bind } from './bind.ts'
import { digestOf } from './digest.ts'
import { freeze } from './freeze.ts'
import { environmentId } from './ids.ts'
import type { Release } from './release.ts'
import type { ServiceSpec, System } from './system.ts'

const image = digestOf('image')
const service: ServiceSpec = {
  source: { kind: 'image', digest: image },
  run: {
    command: null,
    env: {},
    ports: [],
    health: { kind: 'running', intervalMs: 1, timeoutMs: 1, startMs: 1, retries: 1 },
    needs: [],
    writable: [],
    volumes: [],
    stateful: false,
    limits: { memoryBytes: null, cpus: null, pids: 1 },
    user: null,
    capabilities: [],
    stop: { signal: 'SIGTERM', graceMs: 1 },
  },
  expose: [],
  replicas: 1,
  labels: {},
}
const frozen = (labels: Readonly<Record<string, string>>): Release => {
  const system: System = { name: 'shop', services: { web: { ...service, labels } }, environments: {} }
  const source = { revision: null, dirty: false }
  return freeze(system, { images: { web: image }, source, builders: {}, lock: null })
}
const groupOf = (release: Release) => {
  const environment = environmentId('shop', 'staging')
  const name = { name: 'shop@1', version: 1, digest: digestOf(release) }
  const binding = { target: 'local', ingressPort: 80, services: {}, warmMs: 0, watchMs: 0, epoch: 0 }
  return bind({ environment, number: 1, name, release, binding }).groups[0]?.id
}

describe('labels of a service', () => {
  it('are in the release, where there are any', () => {
    expect(frozen({ team: 'shop' }).services['web']?.labels).toEqual({ team: 'shop' })
    expect(frozen({}).services['web']).not.toHaveProperty('labels')
  })

  it('give another release, but replace nothing', () => {
    const [plain, labelled] = [frozen({}), frozen({ team: 'shop' })]
    expect(digestOf(labelled)).not.toBe(digestOf(plain))
    expect(groupOf(labelled)).toBe(groupOf(plain))
  })
})
