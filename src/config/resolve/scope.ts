import type { Aim, ManifestPath, ProblemList } from '../problem-list.ts'

/** One part of the manifest: paths are relative to it, so that its resolver need not know where it stands. */
export interface Scope {
  report(path: ManifestPath, fact: string, remedy: string, aim?: Aim): void
  /** True when none of these keys has a problem, so that they may be read as their types say. */
  isSound(...keys: readonly string[]): boolean
  within(...path: ManifestPath): Scope
  /**
   * What may be read of the block that stands here: its sound keys, so that a mistake in one does not hide those in
   * the others. Undefined when it is none, or not sound as a whole.
   */
  soundPart<Block extends object>(block: Block | undefined): Partial<Block> | undefined
  /** What may be read of the list that stands here, with its places: sound items, and the sound parts of blocks. */
  soundItems<Item>(list: readonly Item[] | undefined): readonly (readonly [number, SoundItem<Item>])[]
}

export type SoundItem<Item> = Item extends object ? Partial<Item> : Item

export const scopeOf = (problems: ProblemList, path: ManifestPath = []): Scope => ({
  report: (relative, fact, remedy, aim) => problems.report([...path, ...relative], fact, remedy, aim),
  isSound: (...keys) =>
    keys.length === 0 ? problems.isSound(path) : keys.every((key) => problems.isSound([...path, key])),
  within: (...relative) => scopeOf(problems, [...path, ...relative]),
  soundPart<Block extends object>(block: Block | undefined): Partial<Block> | undefined {
    if (typeof block !== 'object' || block === null || Array.isArray(block)) return undefined
    if (!problems.isReadable(path)) return undefined
    const sound = Object.entries(block).filter(([key]) => problems.isSound([...path, key]))
    return Object.fromEntries(sound) as Partial<Block>
  },
  soundItems<Item>(list: readonly Item[] | undefined): readonly (readonly [number, SoundItem<Item>])[] {
    if (!Array.isArray(list)) return []
    return list.flatMap((item: Item, index): readonly (readonly [number, SoundItem<Item>])[] => {
      const isScalar = typeof item !== 'object' || item === null
      const sound = isScalar
        ? problems.isSound([...path, index])
          ? item
          : undefined
        : scopeOf(problems, [...path, index]).soundPart(item)
      return sound === undefined ? [] : [[index, sound as SoundItem<Item>]]
    })
  },
})
