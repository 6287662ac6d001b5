import { isDeepStrictEqual } from 'node:util'
import { BasaltError } from '../../../errors.ts'
import type { EntryPort } from '../../router.ts'
import { latePorts } from '../haproxy-supervisor.ts'
import type { RouterContext } from '../router-context.ts'
import { type RouterState, servesNothing } from '../router-state.ts'

export const open = (context: RouterContext, entryPorts: readonly EntryPort[]): Promise<void> =>
  context.exclusively(() => openPorts(context, entryPorts))

/** Only inside `exclusively`. */
export async function openPorts(context: RouterContext, entryPorts: readonly EntryPort[]): Promise<void> {
  const { supervisor } = context
  const running = await supervisor.find()
  const state = context.state()
  const next: RouterState = {
    ...state,
    entryPorts: merged(
      running === null || servesNothing(state) ? inUse(state) : state.entryPorts,
      entryPorts,
      state,
    ),
  }
  const missing = running === null ? next.entryPorts : latePorts(next, running.process)
  if (running !== null && latePorts(state, running.process).length === 0 && missing.length === 0) return

  // Holds them until HAProxy binds them or the redirections are in force: nobody can slip in between unseen.
  await supervisor.hold(missing.filter((entry) => contains(entryPorts, entry)))
  if (!isDeepStrictEqual(next.entryPorts, state.entryPorts)) await context.record(next)
  if (running === null) await supervisor.ensure()
  else if (servesNothing(state)) await supervisor.restart()
  else await supervisor.applyRules()
  await assertAnswered(context, entryPorts)
}

/** When nothing is served any more, other programs may have the ways in. Only inside `exclusively`. */
export async function closeUnusedPorts(context: RouterContext): Promise<void> {
  const state = context.state()
  if (state.entryPorts.length === 0 || !servesNothing(state)) return
  await context.record({ ...state, entryPorts: [] })
  await context.supervisor.restart()
}

/** Of ports that other programs took while nothing ran, only those asked for now are an error. */
async function assertAnswered(context: RouterContext, entryPorts: readonly EntryPort[]): Promise<void> {
  const { process } = await context.supervisor.ensure()
  await context.supervisor.hold(
    latePorts(context.state(), process).filter((entry) => contains(entryPorts, entry)),
  )
}

const inUse = (state: RouterState): readonly EntryPort[] => {
  const ports = new Map<number, EntryPort>()
  for (const { entries } of Object.values(state.tables))
    for (const { entryPort, kind } of entries) ports.set(entryPort, { port: entryPort, protocol: kind })
  return [...ports.values()]
}

/** Rejects with `route.conflict` when a port that is in use is to speak another protocol. */
function merged(
  before: readonly EntryPort[],
  wanted: readonly EntryPort[],
  state: RouterState,
): readonly EntryPort[] {
  for (const { port, protocol } of wanted) {
    const user = Object.values(state.tables).find(({ entries }) =>
      entries.some((entry) => entry.entryPort === port && entry.kind !== protocol),
    )
    if (user !== undefined)
      throw new BasaltError('route.conflict', {
        message: `port ${port} is wanted for ${protocol}, but ${user.environment} uses it for another protocol`,
        remedy: 'Give one of them another port under `expose` in basalt.yaml.',
        details: { port, holder: user.environment },
      })
  }
  const kept = before.filter(({ port }) => !wanted.some((entry) => entry.port === port))
  return [...kept, ...wanted].sort((a, b) => a.port - b.port)
}

const contains = (entries: readonly EntryPort[], { port }: EntryPort): boolean =>
  entries.some((entry) => entry.port === port)
