import type { EnvironmentId, GroupId, InstanceId } from '../../../core/ids.ts'
import type { RouteTable } from '../../../core/route-table.ts'
import type { EntryPort } from '../../router.ts'
import { files } from '../haproxy-config.ts'
import { readMap, replaceMap } from '../haproxy-socket.ts'
import { assertRoutable, routeMap, tablesOf } from '../route-map.ts'
import type { RouterContext } from '../router-context.ts'
import type { RouterState } from '../router-state.ts'
import { listServers, readyMembers } from '../slot-servers.ts'
import { forgetLeft } from './forget.ts'
import { openPorts } from './open.ts'

/** The one switch: a single transaction on the one map that holds every way in, of every environment. */
export const switchRoutes = (context: RouterContext, table: RouteTable): Promise<void> =>
  context.exclusively(async () => {
    const others = Object.values(context.state().tables).filter(
      ({ environment }) => environment !== table.environment,
    )
    assertRoutable(table, others)
    routeMap(withTable(context.state(), table))
    await openMissing(context, table)
    const next = withTable(context.state(), table)
    const lines = routeMap(next)
    await context.change(next, (socket) => replaceMap(socket, files.routes, lines))
    await forgetLeft(context)
  })

function withTable(state: RouterState, table: RouteTable): RouterState {
  const { [table.environment]: _, ...others } = state.tables
  const empty = table.generation === null && table.entries.length === 0
  return { ...state, tables: empty ? others : { ...others, [table.environment]: table } }
}

/** Ports that nobody opened before: opened now, while a failure still changes nothing. */
async function openMissing(context: RouterContext, table: RouteTable): Promise<void> {
  const wanted = new Map<number, EntryPort>()
  for (const { entryPort, kind } of table.entries) wanted.set(entryPort, { port: entryPort, protocol: kind })
  const missing = [...wanted.values()].filter(
    ({ port, protocol }) =>
      !context.state().entryPorts.some((open) => open.port === port && open.protocol === protocol),
  )
  if (missing.length > 0) await openPorts(context, missing)
}

export const routes = (context: RouterContext, environment: EnvironmentId): Promise<RouteTable | null> =>
  context.ask(
    async ({ socket }) => tablesOf(await readMap(socket, files.routes), context.state())[environment] ?? null,
  )

export const members = (context: RouterContext): Promise<ReadonlyMap<GroupId, readonly InstanceId[]>> =>
  context.ask(async ({ socket }) => readyMembers(await listServers(socket), context.state()))
