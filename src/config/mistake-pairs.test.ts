import { describe, expect, it } from 'vitest'
import { BasaltError } from '../errors.ts'
import { parseManifest } from './parse-manifest.ts'
import type { Problem } from './problem-list.ts'

const digest = `sha256:${'ab'.repeat(32)}`

/** One thing on each line, so that a mistake moves nothing else. No two lines are alike. */
const sound = `system: shop
services:
  web:
    build:
      base: scratch
      copy:
        - from: web
          to: /app
          mode: "0644"
          owner: "5:5"
          ignore:
            - "*.md"
        - dist:/dist
        - lib:/lib
      env:
        MODE: fast
        LEVEL: high
      workdir: /work
      entrypoint:
        - server
        - --now
      user: "10:10"
      labels:
        team: blue
        tier: one
    env:
      COLOUR: red
      SHAPE: round
    ports:
      - 8080
      - 8081
      - port: 8082
        protocol: http
      - 9000/tcp
    expose:
      - shop.localhost/a
      - shop.localhost/b
      - host: shop.localhost
        path: /c
        port: 8081
        listen: 8443
      - tcp: 9100
        port: 9000
    replicas: 2
    health:
      http: /up
      port: 8080
      interval: 3s
      timeout: 4s
      start: 31s
      retries: 4
    needs:
      - api
      - cache
      - worker
    writable:
      - /tmp
      - /run/web
      - path: /var/cache
        size: 16M
    limits:
      memory: 64M
      cpus: 0.5
      pids: 100
    user: web
    capabilities:
      - NET_BIND_SERVICE
      - CHOWN
      - KILL
    stop:
      signal: SIGINT
      grace: 11s
    labels:
      floor: two
      owner: ada
  api:
    image: "api@${digest}"
    command:
      - /bin/api
      - --quiet
    port: 8000
    expose: api.localhost
    health: /ok
  cache:
    image: "${digest}"
    replicas: 1
    stateful: true
    volumes:
      data: /data
      logs: /logs
      spool: /spool
  worker:
    image: "worker@${digest}"
    command: work --hard
    stateful: true # worker
    volumes: # worker
      jobs: /jobs
environments:
  staging:
    target: local
    ingress: 8088
    warm: 5m
    watch: 6s
    services:
      api:
        expose: # staging
          - api.localhost/x
          - api.localhost/y
        env:
          DEPTH: deep
        limits:
          memory: 65M
          pids: 101
      cache: # staging
        replicas: 1 # staging
      worker: # staging
        env: # staging
          WIDTH: wide
  production: # empty
    ingress: 8088 # production
    warm: 7m
`

interface Mistake {
  readonly kind: 'schema' | 'resolve'
  /** The line without its indentation. */
  readonly instead: string
  /** With `^` before the place where the mistake is told. */
  readonly write: string
  /** Where it is told at the beginning of another line. */
  readonly line?: string
  readonly fact: string
  /** Lines without which this cannot be judged: a value there that cannot be read leaves it open. */
  readonly reads?: readonly string[]
}

const webPorts = ['- 8080', '- 8081', '- port: 8082', 'protocol: http', '- 9000/tcp']

const wrong = (instead: string, write: string, fact: string): Mistake => ({
  kind: 'schema',
  instead,
  write,
  fact,
})
const senseless = (
  instead: string,
  write: string,
  fact: string,
  more: Pick<Mistake, 'line' | 'reads'> = {},
): Mistake => ({ kind: 'resolve', instead, write, fact, ...more })

const mistakes: readonly Mistake[] = [
  wrong('system: shop', 'system: ^Shop', '`system` is the text `Shop`'),
  // The image.
  wrong('base: scratch', 'base: ^node', 'build.base` is the text'),
  wrong('base: scratch', 'base: ^Node:20', '"Node:20" is no image reference'),
  wrong('- from: web', '- from: ^../web', 'copy[0].from'),
  wrong('to: /app', 'to: ^app', 'copy[0].to'),
  senseless('to: /app', 'to: ^/app/', '`/app/` ends with `/`'),
  wrong('mode: "0644"', 'mode: ^"999"', 'copy[0].mode'),
  wrong('owner: "5:5"', 'owner: ^me', 'copy[0].owner'),
  senseless('owner: "5:5"', 'owner: ^"4294967295"', 'beyond the largest id'),
  wrong('- "*.md"', '- ^[x]', 'ignore[0]'),
  wrong('- dist:/dist', '- ^dist', 'copy[1]'),
  senseless('- dist:/dist', '- ^dist:/dist/', '`/dist/` ends with `/`'),
  senseless('- lib:/lib', '- ^lib:/lib/', '`/lib/` ends with `/`'),
  wrong('MODE: fast', '^1MODE: fast', '`1MODE` must be'),
  wrong('LEVEL: high', '^LEVEL: [high]', 'build.env.LEVEL'),
  wrong('workdir: /work', 'workdir: ^work', 'build.workdir'),
  senseless('- server', '- ^""', 'the program has no name'),
  wrong('- --now', '- ^[now]', 'entrypoint[1]'),
  wrong('user: "10:10"', 'user: ^Ten', 'build.user'),
  senseless('user: "10:10"', 'user: ^"4294967295"', 'beyond the largest id'),
  wrong('team: blue', '^-team: blue', '`-team` must be'),
  wrong('tier: one', '^tier: [one]', 'build.labels.tier'),
  wrong('image: "api@', 'image: ^"Api:1" #', 'its repository must be in lower case'),
  senseless('image: "worker@', '#', 'neither `build` nor `image`', { line: 'worker:' }),
  // The process.
  wrong('COLOUR: red', '^CO-LOUR: red', '`CO-LOUR` must be'),
  wrong('SHAPE: round', '^SHAPE:', 'env.SHAPE` is empty'),
  senseless('- /bin/api', '- ^""', 'the program has no name'),
  wrong('- --quiet', '- ^[quiet]', 'api.command[1]'),
  senseless('command: work --hard', 'command: ^work && rest', 'uses shell syntax'),
  wrong('memory: 64M', 'memory: ^lots', 'limits.memory'),
  senseless('memory: 64M', 'memory: ^1M', '1M of memory is out of range'),
  wrong('cpus: 0.5', 'cpus: ^0', 'limits.cpus'),
  wrong('pids: 100', 'pids: ^many', 'limits.pids'),
  wrong('user: web', 'user: ^Web', 'services.web.user'),
  senseless('user: web', 'user: ^4294967295', 'beyond the largest id'),
  wrong('- NET_BIND_SERVICE', '- ^[x]', 'capabilities[0]'),
  senseless('- NET_BIND_SERVICE', '- ^NET_BIND', '`NET_BIND` is not a Linux capability'),
  senseless('- CHOWN', '- ^CHWN', '`CHWN` is not a Linux capability'),
  wrong('- KILL', '- ^5', 'capabilities[2]'),
  wrong('signal: SIGINT', 'signal: ^sigint', 'stop.signal'),
  senseless('signal: SIGINT', 'signal: ^SIGFOO', '`SIGFOO` is not a signal'),
  wrong('grace: 11s', 'grace: ^11', 'stop.grace'),
  senseless('grace: 11s', 'grace: ^25d', 'longer than 24 days'),
  wrong('floor: two', '^/floor: two', '`/floor` must be'),
  wrong('owner: ada', '^owner: [ada]', 'labels.owner'),
  // Ports, and what refers to them.
  wrong('- 8080', '- ^eighty', 'ports[0]'),
  senseless('- port: 8082', '- ^port: 8081', 'port 8081 is listed twice', { reads: ['- 8081'] }),
  wrong('protocol: http', 'protocol: ^udp', 'ports[2].protocol'),
  wrong('- shop.localhost/a', '- ^shop.localhost:80', 'expose[0]'),
  senseless('- shop.localhost/a', '- ^shop..localhost', 'is not a host and path'),
  senseless('- shop.localhost/b', '- ^shop.localhost/../b', 'is not a host and path'),
  senseless('- shop.localhost/b', '- ^shop.localhost/a', '`shop.localhost:8088/a` already leads', {
    reads: ['- shop.localhost/a', 'ingress: 8088'],
  }),
  wrong('- host: shop.localhost', '- host: ^shop/x', 'expose[2].host'),
  wrong('path: /c', 'path: ^c', 'expose[2].path'),
  wrong('port: 8081', 'port: ^none', 'expose[2].port'),
  senseless('port: 8081', 'port: ^8888', '8888 is not one of', { reads: webPorts }),
  wrong('listen: 8443', 'listen: ^0', 'expose[2].listen'),
  wrong('- tcp: 9100', '- tcp: ^no', 'expose[3].tcp'),
  senseless('- tcp: 9100', '- ^tcp: 8443', 'entry port 8443 is already HTTP', {
    reads: ['listen: 8443', '- host: shop.localhost', 'path: /c'],
  }),
  senseless('port: 9000', 'port: ^9001', '9001 is not one of', {
    reads: [...webPorts, '- tcp: 9100'],
  }),
  wrong('http: /up', 'http: ^up', 'health.http'),
  wrong('port: 8080', 'port: ^x', 'health.port'),
  senseless('port: 8080', 'port: ^8889', '8889 is not one of', { reads: webPorts }),
  senseless('port: 8080', '^command: [up]', '`http` and `command` are both given'),
  wrong('interval: 3s', 'interval: ^3', 'health.interval'),
  senseless('interval: 3s', 'interval: ^0s', '`interval` is zero'),
  senseless('timeout: 4s', 'timeout: ^0s', '`timeout` is zero'),
  wrong('start: 31s', '^strt: 31s', '`strt` is not known here'),
  wrong('retries: 4', 'retries: ^0', 'health.retries'),
  senseless('port: 8000', 'port: ^70000/tcp', '70000 is not a port'),
  wrong('health: /ok', 'health: ^ok', 'api.health'),
  // Needs and mounts.
  wrong('- api', '- ^Api', 'needs[0]'),
  senseless('- api', '- ^aip', 'there is no service `aip`'),
  senseless('- cache', '- ^web', '`web` needs itself'),
  senseless('- worker', '- ^cache', '`cache` is listed twice', { reads: ['- cache'] }),
  wrong('- /tmp', '- ^tmp', 'writable[0]'),
  senseless('- /tmp', '- ^/proc', '`/proc` belongs to the runtime'),
  senseless('- /run/web', '- ^/tmp/web', 'lie in one another', { reads: ['- /tmp'] }),
  wrong('- path: /var/cache', '- path: ^cache', 'writable[2].path'),
  senseless('- path: /var/cache', '- ^path: /sys', '`/sys` belongs to the runtime'),
  wrong('size: 16M', 'size: ^big', 'writable[2].size'),
  senseless('size: 16M', 'size: ^10', '10 is no useful size'),
  wrong('replicas: 2', 'replicas: ^0', 'web.replicas'),
  wrong('replicas: 1', 'replicas: ^one', 'cache.replicas'),
  senseless('replicas: 1', 'replicas: ^2', 'one instance only', { reads: ['stateful: true'] }),
  wrong('stateful: true', 'stateful: ^yes', 'cache.stateful'),
  wrong('data: /data', '^Data: /data', '`Data` must be'),
  wrong('data: /data', 'data: ^data', 'volumes.data'),
  senseless('data: /data', 'data: ^/dev/x', '`/dev/x` belongs to the runtime'),
  senseless('logs: /logs', 'logs: ^/sys/x', '`/sys/x` belongs to the runtime'),
  senseless('spool: /spool', 'spool: ^/logs/x', 'lie in one another', { reads: ['logs: /logs'] }),
  senseless('stateful: true # worker', '#', 'need a stateful', { line: 'volumes: # worker' }),
  senseless('jobs: /jobs', '^spool: /jobs', 'is already written by `cache`', {
    reads: ['spool: /spool'],
  }),
  // Environments.
  wrong('target: local', 'target: ^here', 'staging.target'),
  wrong('ingress: 8088', 'ingress: ^0', 'staging.ingress'),
  wrong('warm: 5m', 'warm: ^5', 'staging.warm'),
  senseless('warm: 5m', 'warm: ^25d', 'longer than 24 days'),
  wrong('watch: 6s', 'watch: ^soon', 'staging.watch'),
  senseless('- api.localhost/x', '- ^api..localhost', 'is not a host and path'),
  wrong('- api.localhost/y', '- ^api.localhost:1', 'api.expose[1]'),
  senseless('- api.localhost/y', '- ^shop.localhost/a', 'already leads to `web`', {
    reads: ['- shop.localhost/a', 'ingress: 8088'],
  }),
  wrong('DEPTH: deep', '^2DEPTH: deep', '`2DEPTH` must be'),
  wrong('memory: 65M', 'memory: ^some', 'api.limits.memory'),
  senseless('memory: 65M', 'memory: ^2M', '2M of memory is out of range'),
  wrong('pids: 101', 'pids: ^few', 'api.limits.pids'),
  senseless('replicas: 1 # staging', 'replicas: ^3', 'one instance only', { reads: ['stateful: true'] }),
  senseless('worker: # staging', '^wrker:', 'there is no service `wrker`'),
  wrong('WIDTH: wide', '^WIDTH: { a: b }', 'env.WIDTH` is a block of keys'),
  wrong('production: # empty', '^Production:', '`Production` must be'),
  senseless('warm: 7m', 'warm: ^26d', 'longer than 24 days'),
]

const lines = sound.split('\n')

/** A mistake may name the beginning of its line; an exact line comes first. */
function lineOf(text: string): number {
  const exact = lines.findIndex((line) => line.trim() === text)
  const index = exact === -1 ? lines.findIndex((line) => line.trim().startsWith(text)) : exact
  if (index === -1) throw new Error(`no line is \`${text}\``)
  return index
}

const indentOf = (index: number): string => /^ */.exec(lines[index] ?? '')?.[0] ?? ''

function withMistakes(planted: readonly Mistake[]): string {
  const changed = [...lines]
  for (const { instead, write } of planted) {
    const index = lineOf(instead)
    changed[index] = indentOf(index) + write.replace('^', '')
  }
  return changed.join('\n')
}

/** `line:column fact` of all that is told. */
function told(text: string): readonly string[] {
  try {
    parseManifest(text, 'basalt.yaml')
    return []
  } catch (error) {
    if (!(error instanceof BasaltError) || error.code !== 'manifest.invalid') throw error
    const problems = error.details['problems'] as readonly Problem[]
    return problems.map(({ line, column, message }) => `${line}:${column} ${message}`)
  }
}

function isToldAs(found: string, { instead, write, line, fact }: Mistake): boolean {
  const index = lineOf(line ?? instead)
  const column = indentOf(index).length + (line === undefined ? write.indexOf('^') : 0) + 1
  return found.startsWith(`${index + 1}:${column} `) && found.includes(fact)
}

const describes = (mistake: Mistake): string => `${mistake.instead} -> ${mistake.write}`

/** True when what `other` spoils must be known to judge `mistake`. */
const hangsOn = (mistake: Mistake, other: Mistake): boolean => mistake.reads?.includes(other.instead) === true

describe('two mistakes in a manifest', () => {
  it('has none to begin with', () => {
    expect(told(sound)).toEqual([])
  })

  it.each(mistakes.map((mistake) => [describes(mistake), mistake] as const))('%s', (_, mistake) => {
    const found = told(withMistakes([mistake]))
    expect(found.map((fact) => [fact, isToldAs(fact, mistake)])).toEqual([[found[0], true]])
  })

  it('are both told in one run, and nothing else, wherever they are', () => {
    const flaws: unknown[] = []
    let pairs = 0
    for (const [index, one] of mistakes.entries())
      for (const other of mistakes.slice(index + 1)) {
        if (lineOf(one.instead) === lineOf(other.instead) || hangsOn(one, other) || hangsOn(other, one))
          continue
        pairs++
        const found = told(withMistakes([one, other]))
        const isTold = [one, other].every((mistake) => found.some((fact) => isToldAs(fact, mistake)))
        if (isTold && found.length === 2) continue
        flaws.push({ one: describes(one), other: describes(other), found })
      }
    expect(flaws).toEqual([])
    expect(pairs).toBeGreaterThan(4000)
  }, 120_000)
})
