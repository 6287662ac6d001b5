import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOfBytes } from '../../../core/digest.ts'
import { openTestRegistry, pushBlob, type TestRegistry } from './registry.fixture.ts'

const patience = { timeout: 20_000 }

let registry: TestRegistry
beforeAll(async () => {
  registry = await openTestRegistry()
})
afterAll(() => registry.close())

const begin = async (to = registry): Promise<string> =>
  String((await to.ask('POST', '/v2/app/blobs/uploads/')).headers.location)
const uploadsOf = ({ content }: TestRegistry): string[] => readdirSync(join(content.folder, 'uploads'))

/** Where an upload ends now, as a client finds out that lost its connection. */
async function offsetOf(location: string): Promise<number> {
  const { headers } = await registry.ask('GET', location)
  const end = Number(String(headers['range']).split('-')[1])
  return end === 0 ? 0 : end + 1
}

/** Bytes, and then the connection is lost. */
const brokenOff = (bytes: Buffer): Readable =>
  Readable.from(
    (async function* () {
      yield bytes
      await new Promise((resolve) => setTimeout(resolve, 50))
      throw new Error('lost')
    })(),
  )

type Step =
  | { readonly kind: 'chunk'; readonly size: number }
  | { readonly kind: 'stream'; readonly size: number }
  | { readonly kind: 'out-of-order'; readonly by: number }
  | { readonly kind: 'restart' }

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('chunk' as const),
        size: fc.integer({ min: 1, max: 70_000 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('stream' as const),
        size: fc.integer({ min: 0, max: 200_000 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('out-of-order' as const),
        by: fc.integer({ min: 1, max: 9 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  ),
  { minLength: 1, maxLength: 8 },
)

/** What a client sends at an upload's end, or past it. */
function bodyOf(step: Exclude<Step, { kind: 'restart' }>, text: string, size: number) {
  if (step.kind === 'out-of-order')
    return { headers: { 'content-range': `${size + step.by}-${size + step.by}` }, bytes: Buffer.from('x') }
  const range = step.kind === 'chunk' ? { 'content-range': `${size}-${size + step.size - 1}` } : {}
  return { headers: range, bytes: Buffer.alloc(step.size, text) }
}

describe('an upload', () => {
  it('is the same blob in whichever chunks it comes, whatever happens in between', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer(), async (plan, seed) => {
        const location = await begin()
        const sent: Buffer[] = []
        const [answers, expected]: [unknown[], unknown[]] = [[], []]
        let size = 0
        for (const [index, step] of plan.entries()) {
          if (step.kind === 'restart') {
            await registry.restart()
            continue
          }
          const { headers, bytes } = bodyOf(step, `${seed} ${index} `, size)
          const answer = await registry.ask('PATCH', location, { headers, body: Readable.from([bytes]) })
          const isTaken = step.kind !== 'out-of-order'
          if (isTaken) sent.push(bytes)
          size += isTaken ? bytes.byteLength : 0
          answers.push([answer.status, answer.headers['range']])
          expected.push([isTaken ? 202 : 416, `0-${Math.max(size - 1, 0)}`])
        }
        expect(answers).toEqual(expected)
        const whole = Buffer.concat(sent)
        const digest = digestOfBytes(whole)
        expect((await registry.ask('PUT', `${location}?digest=${digest}`)).status).toBe(201)
        expect((await registry.ask('GET', `/v2/app/blobs/${digest}`)).body.equals(whole)).toBe(true)
        await registry.content.verify(digest)
      }),
      { numRuns: 25 },
    )
    expect(uploadsOf(registry)).toEqual([])
  })

  it('goes on where its connection was lost', async () => {
    const location = await begin()
    const bytes = Buffer.alloc(300_000, 'resumed ')
    await expect(
      registry.ask('PATCH', location, { body: brokenOff(bytes.subarray(0, 200_000)) }),
    ).rejects.toThrow(/hang up|ECONNRESET|EPIPE/)
    let offset = 0
    await expect.poll(async () => (offset = await offsetOf(location)), patience).toBeGreaterThan(0)
    expect(offset).toBeLessThanOrEqual(200_000)
    const headers = { 'content-range': `${offset}-${bytes.byteLength - 1}` }
    // The request that was lost may not have ended yet.
    await expect
      .poll(
        async () => (await registry.ask('PATCH', location, { headers, body: bytes.subarray(offset) })).status,
        patience,
      )
      .toBe(202)
    const digest = digestOfBytes(bytes)
    expect((await registry.ask('PUT', `${location}?digest=${digest}`)).status).toBe(201)
    expect((await registry.ask('GET', `/v2/app/blobs/${digest}`)).body.equals(bytes)).toBe(true)
    expect(registry.log.filter((line) => line.includes('PATCH'))).toEqual([])
  })

  it('takes one request at a time', async () => {
    const location = await begin()
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const slow = registry.ask('PATCH', location, {
      body: Readable.from(
        (async function* () {
          yield Buffer.from('first ')
          await held
          yield Buffer.from('second')
        })(),
      ),
    })
    await expect.poll(() => offsetOf(location), patience).toBe(6)
    for (const method of ['PATCH', 'DELETE'])
      expect(await registry.ask(method, location, method === 'PATCH' ? { body: 'x' } : {})).toMatchObject({
        status: 409,
        codes: ['BLOB_UPLOAD_INVALID'],
      })
    release()
    expect((await slow).status).toBe(202)
    const digest = digestOfBytes('first second')
    expect((await registry.ask('PUT', `${location}?digest=${digest}`)).status).toBe(201)
  })

  it('is removed when nobody has written to it for a day, by the next server too', async () => {
    const [old, young] = [await begin(), await begin()]
    const idOf = (location: string): string => location.split('/').at(-1) ?? ''
    const longAgo = new Date(registry.clock.now - 25 * 3_600_000)
    utimesSync(join(registry.content.folder, 'uploads', idOf(old), 'data'), longAgo, longAgo)
    await registry.restart()
    await expect.poll(() => uploadsOf(registry), patience).toEqual([idOf(young)])
    expect((await registry.ask('GET', old)).status).toBe(404)
    expect((await registry.ask('GET', young)).status).toBe(204)
  })
})

describe('a full disk', () => {
  it('is told, and leaves nothing half done', async (ctx) => {
    if (process.getuid?.() !== 0) ctx.skip('needs root to mount a small tmpfs')
    const small = mkdtempSync(join(tmpdir(), 'basalt-small-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', small])
    const full = await openTestRegistry({ contentFolder: join(small, 'images') })
    try {
      const kept = await pushBlob(full, 'app', Buffer.alloc(300_000, 'kept'))
      const large = Buffer.alloc(3_000_000, 'large')
      const path = `/v2/app/blobs/uploads/?digest=${digestOfBytes(large)}`
      const single = await full.ask('POST', path, { body: large })
      expect(single).toMatchObject({ status: 507, codes: ['INSUFFICIENT_STORAGE'] })
      expect(single.json().errors[0].message).toBe("no space is left on the registry's disk")
      const location = await begin(full)
      expect((await full.ask('PATCH', location, { body: large })).status).toBe(507)
      expect((await full.ask('GET', location)).status).toBe(404)
      expect(uploadsOf(full)).toEqual([])
      expect(readdirSync(join(full.content.folder, 'ingest'))).toEqual([])
      expect(readdirSync(join(full.content.folder, 'blobs/sha256'))).toEqual([kept.slice(7)])
      await pushBlob(full, 'app', Buffer.alloc(300_000, 'fits again'))
    } finally {
      await full.close()
      execFileSync('umount', [small])
      rmSync(small, { recursive: true })
    }
  })
})

describe('what was refused', () => {
  it('is kept as evidence, but never much of it', async () => {
    for (let index = 0; index < 12; index++) {
      const location = await begin()
      await registry.ask('PATCH', location, { body: `refused ${index}` })
      const answer = await registry.ask('PUT', `${location}?digest=${digestOfBytes(`other ${index}`)}`)
      expect(answer.codes).toEqual(['DIGEST_INVALID'])
    }
    const folder = join(registry.content.folder, 'corrupt/refused')
    expect(readdirSync(folder).length).toBe(8)
    registry.clock.now += 8 * 24 * 3_600_000
    await registry.restart()
    await expect.poll(() => readdirSync(folder), patience).toEqual([])
  })
})
