import { readFile, rename, writeFile } from 'node:fs/promises'
import { BasaltError } from '../../errors.ts'
import { writeFileAtomic } from '../../util/atomic-write.ts'
import { diskError } from '../../util/disk-error.ts'
import { emptyState, parseState, type RouterState, serialiseState } from './router-state.ts'

/**
 * Routes and ports are on the disk before HAProxy is told of them. For groups it is enough that the record outlives
 * the server: they do not outlive the machine anyway.
 */
export async function saveState(path: string, before: RouterState, state: RouterState): Promise<void> {
  const text = serialiseState(state)
  if (before.tables !== state.tables || before.entryPorts !== state.entryPorts)
    return await writeFileAtomic(path, text, { mode: 0o600 })
  try {
    const temporary = `${path}.tmp`
    await writeFile(temporary, text, { mode: 0o600 })
    await rename(temporary, path)
  } catch (error) {
    throw diskError(path, error)
  }
}

/**
 * The state as it was recorded, less what did not outlive the machine; the empty one where none was. A record that
 * ended with the machine, cut short as it was not synced, is lost and reported. Rejects with `router.failed` when one
 * of this boot is damaged: HAProxy may still route by it.
 */
export async function loadState(
  path: string,
  bootId: string,
  report: (error: BasaltError) => void,
): Promise<RouterState> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return null
    throw new BasaltError('host.home-invalid', { message: `${path} cannot be read: ${message}`, cause })
  })
  if (text === null) return { ...emptyState, bootId }
  try {
    const state = parseState(text, path)
    return state.bootId === bootId ? state : afterReboot(state, bootId)
  } catch (cause) {
    if (bootIdOf(text) === bootId) throw cause
    report(recordLost(path, cause))
    return { ...emptyState, bootId }
  }
}

/** Of a text that may be no JSON. */
const bootIdOf = (text: string): string | undefined => /"bootId":\s*"([^"]*)"/.exec(text)?.[1]

const recordLost = (path: string, cause: unknown): BasaltError =>
  new BasaltError('router.failed', {
    message: `the router's record ${path} of before the machine's start is damaged; all routes are made anew`,
    remedy: 'The server does that by itself; `basalt status` shows what is served.',
    details: { path },
    cause,
  })

/** No instance is alive. Groups that are routed to keep their slots, and with them the routes; others come again. */
export function afterReboot(state: RouterState, bootId: string): RouterState {
  const routed = new Set(
    Object.values(state.tables).flatMap(({ entries }) => entries.map(({ group }) => group as string)),
  )
  const groups = Object.fromEntries(
    Object.entries(state.groups)
      .filter(([id]) => routed.has(id))
      .map(([id, group]) => [id, { ...group, members: {}, handedTo: null }]),
  )
  return { ...state, bootId, groups, retired: {} }
}
