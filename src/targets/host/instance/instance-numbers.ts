import { readFile } from 'node:fs/promises'
import { BasaltError } from '../../../errors.ts'
import { writeFileAtomic } from '../../../util/atomic-write.ts'
import { createMutex } from '../../../util/mutex.ts'

/** Numbers for new instances, never given twice in one home, whatever crashes. */
export interface InstanceNumbers {
  take(count: number): Promise<readonly number[]>
}

/** Reserved durably at a time; a server that ends leaves the rest of its block unused. */
const blockSize = 16

export function createInstanceNumbers(file: string): InstanceNumbers {
  const mutex = createMutex()
  let next: number | undefined
  let reserved = 0

  return {
    take: (count) =>
      mutex.run(async () => {
        next ??= await readNext(file)
        if (next + count > reserved) {
          reserved = next + count + blockSize
          await writeFileAtomic(file, `${reserved}\n`)
        }
        const first = next
        next += count
        return Array.from({ length: count }, (_, index) => first + index)
      }),
  }
}

async function readNext(file: string): Promise<number> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '1'
    throw unreadable(file, cause)
  })
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw unreadable(file)
}

const unreadable = (file: string, cause?: unknown): BasaltError =>
  new BasaltError('host.home-invalid', {
    message: `${file} does not hold the next instance number`,
    remedy: 'Write a number into it that is larger than every instance has had.',
    ...(cause === undefined ? {} : { cause }),
  })
