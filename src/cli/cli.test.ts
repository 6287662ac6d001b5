import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { catalogue } from './catalogue.ts'
import { type Finished, Place } from './fixtures/basalt-process.ts'
import { documentSchemas } from './result-schemas.ts'

let place: Place

beforeAll(async () => {
  place = new Place()
  await place.startServer()
})

afterAll(() => place.remove())

const basalt = (...args: string[]): Promise<Finished> => place.run(args)

/** The one document on the standard output, after it has proven to be just what its documented schema says. */
function documented(text: string): Record<string, unknown> {
  const document = JSON.parse(text)
  const schema = documentSchemas[document.schema]
  expect(schema, `schema ${document.schema}`).toBeDefined()
  expect(schema!.parse(document)).toEqual(document)
  return document
}

describe('-o json', () => {
  const archive = () => join(place.folder, 'shop-1.tar')
  it.each([
    ['init --dry-run', 'basalt.init/v1'],
    ['build', 'basalt.build/v1'],
    ['plan', 'basalt.plan/v1'],
    ['deploy', 'basalt.deployment/v1'],
    ['deploy -e idle', 'basalt.deployment/v1'],
    ['deploy --no-wait', 'basalt.deployment-started/v1'],
    ['deploy --dry-run', 'basalt.plan/v1'],
    ['rollback', 'basalt.deployment/v1'],
    ['rollback --dry-run', 'basalt.plan/v1'],
    ['down --yes', 'basalt.deployment/v1'],
    ['follow d-staging000000000', 'basalt.deployment/v1'],
    ['abort d-staging000000000', 'basalt.abort/v1'],
    ['status', 'basalt.status/v1'],
    ['history', 'basalt.history/v1'],
    ['diff shop@1 shop@2', 'basalt.diff/v1'],
    ['releases', 'basalt.releases/v1'],
    ['release export shop@1 ARCHIVE', 'basalt.release-exported/v1'],
    ['release import ARCHIVE', 'basalt.release-imported/v1'],
    ['release push shop@2 r.example.com/shop:2', 'basalt.image-pushed/v1'],
    ['release pull r.example.com/shop:2', 'basalt.release-imported/v1'],
    ['image pull nginx:1.25', 'basalt.image-pulled/v1'],
    [`image push sha256:${'a'.repeat(64)} r.example.com/web:1`, 'basalt.image-pushed/v1'],
    ['audit verify', 'basalt.ledger-head/v1'],
    [`audit verify --from 7:${'c'.repeat(64)}`, 'basalt.ledger-head/v1'],
    ['doctor', 'basalt.doctor/v1'],
    ['server start', 'basalt.server/v1'],
    ['server status', 'basalt.server/v1'],
    ['completion bash', 'basalt.completion/v1'],
    ['version', 'basalt.version/v1'],
    ['complete --line=basalt', 'basalt.candidates/v1'],
  ])('basalt %s prints %s', async (line, schema) => {
    const { exitCode, stdout, stderr } = await basalt(
      ...line.replace('ARCHIVE', archive()).split(' '),
      '-o',
      'json',
    )
    expect(stderr).toBe('')
    expect(documented(stdout)['schema']).toBe(schema)
    expect(exitCode).toBe(0)
    const name = line.split(' ').slice(0, 2).join(' ')
    const command = catalogue.find((one) => one.name === name || one.name === line.split(' ')[0])
    expect(command?.schemas).toContain(schema)
  })

  it('prints a line of JSON for each line of a log', async () => {
    const { stdout } = await basalt('logs', 'web', '-o', 'json')
    const lines = stdout.trimEnd().split('\n')
    expect(lines.map((line) => documented(line)['text'])).toEqual(['hello', 'red \u001b[31mtext\r'])
  })

  it('says of a deployment what happened', async () => {
    const { stdout } = await basalt('deploy', '-o', 'json')
    expect(documented(stdout)).toMatchObject({
      deployment: 'd-staging000000000',
      outcome: 'succeeded',
      requests: { total: 1204, failed: 0 },
    })
    const idle = await basalt('deploy', '-e', 'idle', '-o', 'json')
    expect(documented(idle.stdout)).toMatchObject({ deployment: null, outcome: 'unchanged' })
  })

  it('prints the document of a failed deployment, and fails', async () => {
    const { exitCode, stdout } = await basalt('deploy', '-e', 'bad', '-o', 'json')
    expect(exitCode).toBe(1)
    expect(documented(stdout)).toMatchObject({ outcome: 'failed', error: { code: 'group.died' } })
  })

  it('prints errors as documents, beside their text', async () => {
    const { exitCode, stdout, stderr } = await basalt('plan', '-e', 'nowhere', '-o', 'json')
    expect(exitCode).toBe(1)
    expect(documented(stdout)).toMatchObject({ schema: 'basalt.error/v1', code: 'environment.unknown' })
    expect(stderr).toContain('error: shop has no environment nowhere')
  })

  it.each([['deploy --evn x'], ['nonsense'], ['deploy --timeout soon'], ['deploy --timeout 0s'], ['server']])(
    'refuses "%s" with a document too',
    async (line) => {
      const { exitCode, stdout } = await basalt(...line.split(' '), '--output=json')
      expect(exitCode).toBe(1)
      expect(documented(stdout)).toMatchObject({ code: 'request.invalid' })
    },
  )

  it('is the same as YAML', async () => {
    const yaml = await basalt('status', '-o', 'yaml')
    const json = await basalt('status', '-o', 'json')
    expect(parseYaml(yaml.stdout)).toEqual(JSON.parse(json.stdout))
  })
})

describe('audit verify', () => {
  it('prints the head in the form that --from takes', async () => {
    const head = `12:${'d'.repeat(64)}`
    const { stdout } = await basalt('audit', 'verify')
    expect(stdout).toBe(`the ledger is intact: 12 events\nhead: ${head}\n`)
    const again = await basalt('audit', 'verify', '--from', head)
    expect(again).toMatchObject({ exitCode: 0, stdout: `${stdout}continues: ${head}\n` })
  })

  it('fails when the ledger does not continue the head', async () => {
    const { exitCode, stderr } = await basalt('audit', 'verify', '--from', `13:${'c'.repeat(64)}`)
    expect(exitCode).toBe(3)
    expect(stderr).toContain('error: event 13: it is missing; the ledger had 13 events')
  })

  it.each(['', '12', 'd'.repeat(64), `12:${'d'.repeat(63)}`, `-1:${'d'.repeat(64)}`])(
    'refuses %j as a head',
    async (head) => {
      const { exitCode, stderr } = await basalt('audit', 'verify', `--from=${head}`)
      expect(exitCode).toBe(1)
      expect(stderr).toContain('<events>:<root hash>')
    },
  )
})

describe('requests', () => {
  it('carry what was asked for, and the release that was shown', async () => {
    const own = new Place()
    try {
      const server = await own.startServer()
      const args = [
        'deploy',
        'shop@2',
        '-e',
        'production',
        '--all',
        '-m',
        'why not',
        '--timeout',
        '1m30s',
        '--wait',
      ]
      await own.run([...args, '-y'], { folder: own.project })
      await own.run(['rollback', '7'], { environment: { BASALT_ENV: 'elsewhere/qa', BASALT_REASON: 'late' } })
      await own.run(['logs', '-n', '5'])
      await own.run(['status', '-e', 'other/live'])
      const ended = new Promise((resolve) => server.on('exit', resolve))
      server.kill('SIGTERM')
      await ended
      const calls = JSON.parse(readFileSync(join(own.home, 'calls.json'), 'utf8')) as {
        verb: string
        request: unknown
      }[]
      const request = (verb: string) => calls.find((call) => call.verb === verb)?.request
      const deployment = {
        file: join(own.project, 'basalt.yaml'),
        system: 'shop',
        environment: 'production',
        all: true,
        wait: true,
        timeoutMs: 90_000,
        reason: 'why not',
        actor: { name: 'root' },
      }
      expect(request('plan')).toEqual({ ...deployment, release: 'shop@2' })
      expect(request('deploy')).toEqual({ ...deployment, release: `sha256:${'b'.repeat(64)}` })
      expect(request('rollback')).toMatchObject({
        file: null,
        system: 'elsewhere',
        environment: 'qa',
        to: '7',
        reason: 'late',
      })
      expect(request('logs')).toMatchObject({
        system: 'shop',
        environment: 'staging',
        tail: 5,
        previous: false,
        follow: false,
      })
      expect(request('status')).toEqual({ system: 'other', environment: 'live' })
    } finally {
      own.remove()
    }
  })

  it('find basalt.yaml upward, as git does, and say so when there is none', async () => {
    const deep = join(place.project, 'a/b')
    mkdirSync(deep, { recursive: true })
    expect((await place.run(['plan'], { folder: deep })).exitCode).toBe(0)
    const outside = await place.run(['plan'], { folder: place.folder })
    expect(outside.exitCode).toBe(1)
    expect(outside.stderr).toContain('there is no basalt.yaml here or in any folder above')
    expect((await place.run(['plan', '-f', 'shop'], { folder: place.folder })).exitCode).toBe(0)
    expect((await place.run(['plan', 'shop@2', '-e', 'staging'], { folder: place.folder })).exitCode).toBe(0)
  })

  it.each([
    ['no system', 'services: {}\n', 'manifest.invalid', 'system'],
    ['no YAML', 'system: [\n', 'manifest.invalid', 'basalt.yaml:'],
    ['nothing', '', 'manifest.invalid', 'basalt.yaml'],
  ])('are not widened to every system by a basalt.yaml with %s', async (_, text, code, fact) => {
    const own = new Place()
    try {
      await own.startServer()
      writeFileSync(join(own.project, 'basalt.yaml'), text)
      for (const line of [
        'rollback --dry-run',
        'status',
        'history',
        'logs',
        'down --yes',
        'releases',
        'diff 1 2',
      ]) {
        const { exitCode, stdout, stderr } = await own.run([...line.split(' '), '-o', 'json'])
        expect([exitCode, documented(stdout)['code']], line).toEqual([1, code])
        expect(stderr).toContain(fact)
      }
      // What names its system does not need the file.
      for (const line of ['status --all', 'rollback -e other/live', 'diff shop@1 shop@2', 'releases shop'])
        expect((await own.run(line.split(' '))).exitCode, line).toBe(0)
    } finally {
      own.remove()
    }
  })

  it('do not take the first digits of a digest for an image', async () => {
    const { exitCode, stderr } = await basalt('image', 'push', 'sha256:0123456789ab', 'r.example.com/web:1')
    expect(exitCode).toBe(1)
    expect(stderr).toContain('sha256:0123456789ab is not a whole digest')
    expect(stderr).toContain('basalt status -o json')
  })

  it('do not need a sound basalt.yaml to roll back', async () => {
    const broken = join(place.folder, 'broken')
    mkdirSync(broken)
    writeFileSync(join(broken, 'basalt.yaml'), 'system: shop\nservices: [oops\n')
    expect((await place.run(['rollback'], { folder: broken })).exitCode).toBe(0)
  })
})

describe('plan --exit-code', () => {
  it.each([
    ['staging', 2],
    ['idle', 0],
    ['nowhere', 1],
  ])('for %s is %i', async (environment, exitCode) => {
    expect((await basalt('plan', '--exit-code', '-e', environment)).exitCode).toBe(exitCode)
  })

  it('is 1 also when the machine is in the way', async () => {
    const environment = { BASALT_HOME: join(place.folder, 'x'.repeat(120)) }
    expect((await place.run(['plan', '--exit-code'], { environment })).exitCode).toBe(1)
  })
})

describe('what people read', () => {
  const escape = '\u001b'

  it('has no escape codes in a pipe, whatever others wrote', async () => {
    for (const line of ['build', 'deploy -e bad', 'logs web', 'status', 'plan -e data']) {
      const { stdout, stderr } = await basalt(...line.split(' '))
      expect(stdout + stderr).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f]/)
    }
  })

  it('tells progress in plain lines on the standard error, and the outcome in one line', async () => {
    const { stdout, stderr } = await basalt('deploy')
    expect(stdout).toBe(
      'shop@2 serves staging: 1 started, 2 kept, switched in 3 ms, 0 of 1,204 requests failed, 2.1 s\n',
    )
    expect(stderr.split('\n')).toContain('web: 2 of 2 healthy')
    expect((await basalt('deploy', '--quiet')).stderr).toBe('')
  })

  it('shows the last words of what died, and what helps', async () => {
    const { exitCode, stdout, stderr } = await basalt('deploy', '-e', 'bad')
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/^deploying shop@2 failed; shop@1 still serves staging/)
    expect(stderr).toContain('  | Error: listen \\x1b[31mEADDRINUSE')
    expect(stderr).toContain('→ See all of its output with `basalt logs web`.')
  })

  it('is coloured and live on a terminal, and leaves the cursor visible', async () => {
    const { stdout } = await place.runOnTerminal(['deploy'])
    expect(stdout).toContain(`${escape}[32mshop@2 serves staging${escape}[39m`)
    expect(stdout.lastIndexOf(`${escape}[?25h`)).toBeGreaterThan(stdout.lastIndexOf(`${escape}[?25l`))
  })

  it('has no colours with NO_COLOR', async () => {
    const { stdout } = await place.runOnTerminal(['status'], { environment: { NO_COLOR: '1' } })
    expect(stdout).toContain('shop/staging')
    expect(stdout).not.toContain(escape)
  })

  it('ends quietly when nobody reads on', async () => {
    const { exitCode, stdout, stderr } = await place.run(['logs', 'endless'], {
      onOutput: (_text, child) => child.stdout?.destroy(),
    })
    expect([exitCode, stderr]).toEqual([141, ''])
    expect(stdout).toContain('hello')
  })

  it('makes no success of a deployment when nobody reads it', async () => {
    // The reader has gone for sure before the first word is written.
    const command = `exec 3> >(true); wait $!; ${place.launcher} deploy >&3 2>&1`
    expect((await place.runProgram('bash', ['-c', command])).exitCode).toBe(141)
  })
})

describe('confirmation', () => {
  it('is asked for on a terminal when the plan warns, and no means no', async () => {
    const answer = (text: string) => place.runOnTerminal(['deploy', '-e', 'data'], { input: text })
    const no = await answer('n\n')
    expect(no.stdout).toContain('cache is stateful: it pauses while it is replaced')
    expect(no.stdout).toContain('nothing was done')
    expect(no.exitCode).toBe(130)
    const yes = await answer('y\n')
    expect(yes.stdout).toContain('shop@2 serves staging')
    expect(yes.exitCode).toBe(0)
  })

  it('is asked for neither with --yes, nor without a warning, nor in a pipe', async () => {
    expect((await place.runOnTerminal(['deploy', '-e', 'data', '-y'])).stdout).not.toContain('Go on?')
    expect((await place.runOnTerminal(['deploy'])).stdout).not.toContain('Go on?')
    expect((await basalt('deploy', '-e', 'data')).exitCode).toBe(0)
  })

  it.each([['down -e staging'], ['remove'], ['remove --data']])(
    'is not taken for granted by %s where nobody can be asked',
    async (line) => {
      const own = new Place()
      try {
        const server = await own.startServer()
        const { exitCode, stderr } = await own.run(line.split(' '))
        expect(stderr).toContain('needs a yes, and there is no terminal to ask at')
        expect(stderr).toContain('--yes')
        expect(exitCode).toBe(1)
        const quiet = await own.runOnTerminal([...line.split(' '), '2>/dev/null', '-o', 'json'], {
          input: 'y\n',
        })
        expect(quiet.stdout).toContain('request.invalid')
        // `remove` would have ended it.
        expect(server.exitCode).toBeNull()
        const ended = new Promise((resolve) => server.on('exit', resolve))
        server.kill('SIGTERM')
        await ended
        expect(readFileSync(join(own.home, 'calls.json'), 'utf8')).toBe('[]')
      } finally {
        own.remove()
      }
    },
  )
})

describe('Ctrl-C', () => {
  const interrupt = (args: string[], after: string, signal: NodeJS.Signals = 'SIGINT'): Promise<Finished> => {
    let sent = false
    return place.run(args, {
      onOutput: (text, child) => {
        if (sent || !text.includes(after)) return
        sent = true
        child.kill(signal)
      },
    })
  }

  it('detaches from a deployment, says how to go on, and the deployment goes on', async () => {
    const { exitCode, stderr } = await interrupt(['deploy', '-e', 'slow'], 'starting 2 instances')
    expect(exitCode).toBe(130)
    expect(stderr).toContain('detached from deployment d-slow000000000000, which goes on')
    expect(stderr).toContain('basalt follow d-slow000000000000')
    expect(stderr).toContain('basalt abort d-slow000000000000')
    const following = basalt('follow', 'd-slow000000000000')
    await basalt('abort', 'd-slow000000000000')
    const followed = await following
    expect(followed.stdout).toContain('was aborted')
    expect(followed.exitCode).toBe(1)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('or another signal cancels a build: %s', async (signal) => {
    const folder = join(place.folder, 'slow')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'basalt.yaml'), 'system: slow\n')
    const { exitCode, stderr } = await interrupt(['build', '-f', folder], 'web: building', signal)
    expect(exitCode).toBe(128 + constants.signals[signal])
    expect(stderr).toContain('interrupted')
  })

  it('is how one stops following logs', async () => {
    const { exitCode, stderr } = await interrupt(['logs', '-f'], 'hello')
    expect([exitCode, stderr]).toEqual([0, ''])
  })
})

describe('release export', () => {
  it('writes the whole archive under its name, or nothing', async () => {
    const file = join(place.project, 'shop-1.tar')
    const { stdout } = await basalt('release', 'export', 'shop@1', '-o', 'json')
    const document = documented(stdout)
    const bytes = readFileSync(file)
    expect(document).toMatchObject({ file, sizeBytes: bytes.length })
    expect(document['sha256']).toBe(createHash('sha256').update(bytes).digest('hex'))
    rmSync(file)
    // A number alone is the release's, too.
    const numbered = await basalt('release', 'export', '1', '-o', 'json')
    expect(documented(numbered.stdout)).toMatchObject({ file, release: { name: 'shop@1', version: 1 } })
    rmSync(file)
    const folder = await basalt('release', 'export', '1', place.project)
    expect(folder).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(`${place.project} is a folder`),
    })
    const broken = await basalt('release', 'export', 'broken', file)
    expect(broken.exitCode).toBe(3)
    expect(existsSync(file) || existsSync(`${file}.partial`)).toBe(false)
  })

  it('can be piped into an import', async () => {
    const { stdout } = await place.run(['release', 'import', '/dev/stdin'], { input: '' })
    expect(stdout).toBe('')
    const piped = await place.run(['release', 'export', 'shop@1', '-'])
    expect(Buffer.byteLength(piped.stdout, 'utf8')).toBeGreaterThan(1_000_000)
  })

  it('never goes to a terminal', async () => {
    const { exitCode, stdout } = await place.runOnTerminal(['release', 'export', 'shop@1', '-'])
    expect(exitCode).toBe(1)
    expect(stdout).toContain('an archive is not written to a terminal')
  })
})

describe('release import', () => {
  it('says that a file cannot be read, before it needs a server', async () => {
    const own = new Place()
    try {
      const file = join(own.project, 'shop-1.tar')
      writeFileSync(file, 'secret', { mode: 0o600 })
      const closed = await own.run(['release', 'import', file, '-o', 'json'], { userId: 65_534 })
      expect(closed.exitCode).toBe(1)
      expect(documented(closed.stdout)).toMatchObject({ code: 'request.invalid', details: { file } })
      expect(closed.stderr).toContain(`${file} cannot be read: EACCES`)
      for (const [name, fact] of [
        ['nothing.tar', 'there is no file'],
        ['.', 'is not a file'],
      ] as const)
        expect((await own.run(['release', 'import', name])).stderr).toContain(fact)
    } finally {
      own.remove()
    }
  })

  it('ends when the archive is refused, although more of it could come', async () => {
    // `run` leaves the standard input open when it writes to it.
    const { exitCode, stderr } = await place.run(['release', 'import', '-'], { input: 'damaged' })
    expect(stderr).toContain('error: the archive is damaged')
    expect(exitCode).toBe(1)
  })

  it.each([
    ['a file', '/proc/self/mem', '/proc/self/mem'],
    ['the standard input', '- < /proc/self/mem', 'the standard input'],
  ])('says that %s could not be read to its end', async (_, archive, name) => {
    const { exitCode, stdout, stderr } = await place.runProgram('sh', [
      '-c',
      `${place.launcher} release import ${archive} -o json`,
    ])
    expect(stderr).toMatch(new RegExp(`error: ${name} cannot be read: E[A-Z]+`))
    expect(documented(stdout)).toMatchObject({ code: 'request.invalid' })
    expect(exitCode).toBe(1)
  })
})

describe('image import', () => {
  it('prints the whole digest, and how basalt.yaml names it', async () => {
    const layout = join(place.folder, 'layout')
    mkdirSync(join(layout, 'blobs/sha256'), { recursive: true })
    for (const name of ['oci-layout', 'index.json', 'blobs/sha256/x'])
      writeFileSync(join(layout, name), 'text')
    const { exitCode, stdout } = await basalt('image', 'import', layout)
    expect(exitCode).toBe(0)
    expect(stdout).toContain(`image: sha256:${'a'.repeat(64)}`)
    expect(stdout).toContain('docker.io/library/nginx:1.27')
  })

  it.each([
    ['nothing', 'there is no file'],
    ['.', 'is not an OCI image layout'],
  ])('says that %s cannot be read, before it needs a server', async (source, fact) => {
    const own = new Place()
    try {
      const { exitCode, stderr } = await own.run(['image', 'import', source])
      expect(exitCode).toBe(1)
      expect(stderr).toContain(fact)
      expect(stderr).toContain('skopeo copy')
      expect(existsSync(join(own.home, 'basalt.sock'))).toBe(false)
    } finally {
      own.remove()
    }
  })

  it('ends when the archive is refused, although more of it could come', async () => {
    const { exitCode, stderr } = await place.run(['image', 'import', '-'], { input: 'damaged' })
    expect(stderr).toContain('error: the archive is damaged')
    expect(exitCode).toBe(1)
  })
})

describe('images of registries', () => {
  const [a, b] = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`]

  it('are pulled, and basalt.yaml can name them; half a blob is no news in a pipe', async () => {
    const { stdout, stderr } = await basalt('image', 'pull', 'nginx:1.25')
    expect(stdout).toBe(
      `docker.io/library/nginx:1.25, linux/amd64, 1.2 MB of 1.2 MB fetched; in basalt.yaml:\n  image: ${b}\n`,
    )
    expect(stderr).toBe('')
    expect((await basalt('image', 'pull', 'nginx:1.25', '--verbose')).stderr).toContain(
      'fetching, 0.5 of 1.2 MB',
    )
    expect((await basalt('image', 'pull', 'known')).stdout).toContain('was there already')
  })

  it('are pushed, and so are releases; what had to be sent is told', async () => {
    const image = await basalt('image', 'push', b, 'r.example.com/web:1')
    expect(image.stdout).toBe(
      `pushed r.example.com/web:1: 1 blob sent, 1.2 MB, 2 taken over from other repositories, 3 there already\n${a}\n`,
    )
    const release = await basalt('release', 'push', 'shop@2', 'r.example.com/shop:2')
    expect(release.stdout).toContain('pushed shop@2 as r.example.com/shop:2: 1 blob sent')
    const pulled = await basalt('release', 'pull', 'r.example.com/shop:2')
    expect(pulled.stdout).toBe(`pulled shop@1 ${a}\n`)
  })

  it('are shown by a build with their digests, and with what those were before', async () => {
    const { stdout } = await basalt('build')
    expect(stdout).toContain(`\nnginx:1.25 → ${b}\nredis:7 → ${b} (was ${a})\n\n`)
  })
})

describe('what cannot be read', () => {
  it('is told as such of basalt.yaml', async () => {
    const own = new Place()
    try {
      const file = join(own.project, 'basalt.yaml')
      chmodSync(file, 0o600)
      const closed = await own.run(['plan', '-o', 'json'], { userId: 65_534 })
      expect(documented(closed.stdout)).toMatchObject({ code: 'manifest.missing' })
      expect(closed.stderr).toContain(`${file} cannot be read (EACCES)`)
      rmSync(file)
      mkdirSync(file)
      expect((await own.run(['plan'])).stderr).toContain(`there is no ${file}/basalt.yaml`)
    } finally {
      own.remove()
    }
  })

  it('is told as such of the folder of init', async () => {
    expect(await basalt('init', '/nope')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/there is no folder \/nope/),
    })
    expect(await basalt('init', '/etc/passwd')).toMatchObject({
      stderr: expect.stringMatching(/\/etc\/passwd is not a folder/),
    })
    expect(await basalt('init', '/proc/1')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/basalt.yaml cannot be written/),
    })
  })

  it.each([
    ['/proc/nope', 'ENOENT'],
    ['/etc/passwd', 'EEXIST'],
    ['/etc/passwd/home', 'E(?:EXIST|NOTDIR)'],
  ])('is told as such of the state folder: %s', async (home, fact) => {
    const { exitCode, stderr } = await place.run(['status'], { environment: { BASALT_HOME: home } })
    expect(stderr).toMatch(new RegExp(`the state folder ${home} cannot be made: ${fact}`))
    expect(exitCode).toBe(1)
  })
})

describe('init and validate', () => {
  it('work without a server', async () => {
    const own = new Place()
    try {
      const folder = join(own.folder, 'site')
      mkdirSync(join(folder, 'public'), { recursive: true })
      writeFileSync(join(folder, 'public/index.html'), 'hello')
      const written = await own.run(['init'], { folder })
      expect(written.exitCode).toBe(0)
      expect(written.stdout).toBe('wrote basalt.yaml\n')
      const valid = await own.run(['validate', '-o', 'json'], { folder })
      expect(documented(valid.stdout)).toMatchObject({ schema: 'basalt.validate/v1', system: 'site' })
      expect((await own.run(['init'], { folder })).stderr).toContain('exists already')
      expect(existsSync(join(own.home, 'basalt.sock'))).toBe(false)
    } finally {
      own.remove()
    }
  })

  it('import a Compose project, with a table of what became of it', async () => {
    const own = new Place()
    try {
      const folder = join(own.folder, 'blog')
      mkdirSync(folder)
      writeFileSync(join(folder, 'compose.yaml'), 'services: { web: { image: nginx:1, privileged: true } }')
      const from = ['init', '--from', 'blog/compose.yaml']
      const shown = await own.run([...from, '--dry-run', '-o', 'json'], { folder: own.folder })
      expect(documented(shown.stdout)).toMatchObject({
        schema: 'basalt.compose-import/v1',
        file: null,
        from: ['blog/compose.yaml'],
        counts: { refused: 1 },
      })
      expect(existsSync(join(folder, 'basalt.yaml'))).toBe(false)
      const written = await own.run(from, { folder: own.folder })
      expect(written.exitCode).toBe(0)
      expect(written.stdout).toMatch(/web +privileged +refused +blog\/compose.yaml:1:\d+ +name what it needs/)
      expect(written.stdout).toMatch(/wrote blog\/basalt.yaml\n$/)
      expect(readFileSync(join(folder, 'basalt.yaml'), 'utf8')).toContain('image: nginx:1')
      expect((await own.run(from, { folder: own.folder })).stderr).toContain('exists already')
      writeFileSync(join(folder, 'compose.yaml'), 'services:\n  web: { imag: nginx:1 }')
      const wrong = await own.run(from, { folder: own.folder })
      expect(wrong.exitCode).toBe(1)
      expect(wrong.stderr).toMatch(/blog\/compose.yaml:2:10: `services.web.imag` .*did you mean `image`\?/)
      const missing = await own.run(['init', '--from', 'nope.yaml'], { folder: own.folder })
      expect(missing.stderr).toContain('nope.yaml does not exist')
    } finally {
      own.remove()
    }
  })

  it('show every mistake with its place', async () => {
    const { exitCode, stderr } = await basalt('validate')
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/basalt\.yaml:3:\d+: /)
    expect(stderr).toMatch(/basalt\.yaml:4:\d+: /)
  })
})
