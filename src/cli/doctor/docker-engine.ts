import * as z from 'zod'
import { isEngineTooOld, lowestEngineApi } from '../../util/docker-engine-errors.ts'
import type { Finding, Machine } from './probe.ts'

const versionSchema = z.object({ Version: z.string(), ApiVersion: z.string() })
const infoSchema = z.object({
  LiveRestoreEnabled: z.boolean().default(false),
  CgroupDriver: z.string().default('unknown'),
  CgroupVersion: z.string().default('1'),
})

/** The Engine of this machine, as far as the docker target has to know it; null where none is there and none is used. */
export async function findEngine(machine: Machine): Promise<Finding | null> {
  const answer = await machine.docker('/version')
  if (answer.kind === 'failed') {
    const isUsed = machine.list(`${machine.homeFolder}/docker`).includes('instances')
    if (answer.why === 'ENOENT' && !isUsed) return null
    return unreachable(answer.socket, answer.why)
  }
  const version = versionSchema.safeParse(answer.body)
  if (!version.success)
    return { state: 'missing', detail: `${answer.socket} gave no answer of a Docker Engine` }
  const { Version: name, ApiVersion: api } = version.data
  if (isEngineTooOld(api))
    return {
      state: 'missing',
      detail: `${name} speaks API ${api}; ${lowestEngineApi} is needed`,
      remedy: 'Upgrade it to Docker 20.10 or newer.',
    }
  const info = await machine.docker('/info')
  const facts = infoSchema.safeParse(info.kind === 'answer' ? info.body : null)
  if (!facts.success) return { state: 'poor', detail: `${name}, which does not tell about itself` }
  const { LiveRestoreEnabled: liveRestore, CgroupDriver: driver, CgroupVersion: cgroups } = facts.data
  const detail = `${name}, API ${api}, ${driver} on cgroup v${cgroups}`
  if (liveRestore) return { state: 'found', detail: `${detail}, live-restore` }
  return {
    state: 'found',
    detail: `${detail}; without live-restore, so a restart of Docker restarts instances too`,
  }
}

const refusals = new Set(['EACCES', 'EPERM'])

const unreachable = (socket: string, why: string): Finding =>
  refusals.has(why)
    ? {
        state: 'poor',
        detail: `this user may not use ${socket}; the server, which is root, may`,
        remedy: 'See the rest: sudo basalt doctor',
      }
    : { state: 'missing', detail: socket === '' ? why : `no Engine answers at ${socket}: ${why}` }
