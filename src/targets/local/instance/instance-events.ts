import { type FSWatcher, watch } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'

/** `started`: the pid file changed; `ended`: the exit file is there. */
export type InstanceEvent = 'started' | 'ended'

export interface InstanceEvents {
  close(): void
}

const eventOf: Readonly<Record<string, InstanceEvent>> = { pid: 'started', exit: 'ended' }
/** The kernel drops notices when its queue is full; looking now and then finds what they told. */
const sweepMs = 5000

/**
 * Tells of every file that runtimes and keepers leave in the events folder, from the first on: also of those
 * that came while nobody watched. May tell the same thing more than once.
 */
export async function watchInstanceEvents(
  folder: string,
  listener: (instance: string, event: InstanceEvent) => void,
): Promise<InstanceEvents> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const tell = (file: string): void => {
    const dot = file.lastIndexOf('.')
    const event = eventOf[file.slice(dot + 1)]
    if (event !== undefined) listener(file.slice(0, dot), event)
  }
  const watcher: FSWatcher = watch(folder, (_, file) => {
    if (file !== null) tell(file)
  })
  // The folder itself went away: the home is being removed.
  watcher.on('error', () => watcher.close())
  const sweep = async () => {
    for (const file of await readdir(folder).catch(() => [])) tell(file)
  }
  const timer = setInterval(() => void sweep(), sweepMs)
  timer.unref()
  await sweep()
  return {
    close() {
      clearInterval(timer)
      watcher.close()
    },
  }
}
