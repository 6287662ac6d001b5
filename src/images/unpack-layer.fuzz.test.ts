import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BasaltError } from '../errors.ts'
import { type Member, tarOf } from './image.fixture.ts'
import { createRootWriter } from './root-writer.ts'
import { unpackLayer } from './unpack-layer.ts'

const op = { signal: new AbortController().signal }

/** Few names, so that members meet: links get replaced, written below, linked to and whited out. */
const segment = fc.constantFrom('a', 'b', 'c', '.', '.wh.a', '.wh..wh..opq', 'outside')
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'))
const climbing = fc
  .array(fc.constantFrom('a', 'b', '..', 'outside'), { minLength: 1, maxLength: 6 })
  .chain((segments) => fc.constantFrom('', '/').map((start) => start + segments.join('/')))
const member: fc.Arbitrary<Member> = fc.oneof(
  path.map((name) => ({ name, content: 'evil' })),
  path.map((name) => ({ name: `${name}/`, type: 'directory' as const, mode: 0o755 })),
  fc.tuple(path, climbing).map(([name, linkname]) => ({ name, type: 'symlink' as const, linkname })),
  fc.tuple(path, path).map(([name, linkname]) => ({ name, type: 'link' as const, linkname })),
  climbing.map((name) => ({ name, content: 'evil' })),
)

/** Found by this test: the link replaces the folder that its target is in. */
const linkOverItsOwnTarget: Member[] = [
  { name: 'a/b', content: 'evil' },
  { name: 'a', type: 'link', linkname: 'a/b' },
]

describe('any layer at all', () => {
  let folder: string
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'basalt-fuzz-'))))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** Unpacks layers into `<place>/in/the/root`; tells how it ended and what then lies around the root. */
  async function attempt(layers: readonly Buffer[]): Promise<{ outcome: string; around: unknown }> {
    const place = mkdtempSync(join(folder, 'run-'))
    const root = join(place, 'in/the/root')
    mkdirSync(root, { recursive: true })
    writeFileSync(join(place, 'outside'), 'untouched')
    const writer = createRootWriter(root)
    let outcome = 'unpacked'
    try {
      for (const [index, layer] of layers.entries()) {
        const file = join(folder, `layer-${index}.tar`)
        writeFileSync(file, layer)
        await unpackLayer(writer, { file, name: 'any' }, op)
      }
      writer.finish()
    } catch (cause) {
      outcome = cause instanceof BasaltError ? cause.code : String(cause)
    }
    const around = {
      outside: readFileSync(join(place, 'outside'), 'utf8'),
      names: [
        readdirSync(place).toSorted(),
        readdirSync(join(place, 'in')),
        readdirSync(join(place, 'in/the')),
      ],
    }
    rmSync(place, { recursive: true })
    return { outcome, around }
  }
  const undisturbed = { outside: 'untouched', names: [['in', 'outside'], ['the'], ['root']] }

  it('stays in its root, and is unpacked or refused', async () => {
    const outcomes = new Set<string>()
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(member, { maxLength: 8 }), { minLength: 1, maxLength: 3 }),
        async (layers) => {
          const { outcome, around } = await attempt(
            await Promise.all(layers.map((members) => tarOf(members))),
          )
          expect(around).toEqual(undisturbed)
          expect(['unpacked', 'image.invalid']).toContain(outcome)
          outcomes.add(outcome)
        },
      ),
      { numRuns: 500, examples: [[[linkOverItsOwnTarget]]] },
    )
    expect(outcomes.size).toBe(2)
  })

  it('stays in its root when bytes of the archive are turned', async () => {
    const good = await tarOf([
      { name: 'a/', type: 'directory' },
      { name: 'a/b', content: 'x'.repeat(600), pax: { comment: 'y' } },
      { name: 'c', type: 'symlink', linkname: 'a/b' },
      { name: 'd', type: 'link', linkname: 'a/b' },
    ])
    const turned = fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 5,
    })
    await fc.assert(
      fc.asyncProperty(turned, async (changes) => {
        const bytes = Buffer.from(good)
        for (const [at, value] of changes) bytes[at] = value
        const { outcome, around } = await attempt([bytes])
        expect(around).toEqual(undisturbed)
        expect(['unpacked', 'image.invalid']).toContain(outcome)
      }),
      { numRuns: 300 },
    )
  })
})
