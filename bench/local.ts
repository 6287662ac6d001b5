import { setTimeout as sleep } from 'node:timers/promises'
import { type LocalWorld, op, openLocalWorld, staging } from '../src/targets/local/local-target.fixture.ts'
import { keeperBytes, refillMs, timeStart, webGroup } from './local-start.ts'
import { openPlainCrun, type Peer } from './plain-crun.ts'
import { alone, type BenchOptions, type BenchRow, beside, figureAtMost, median, ratioAtMost } from './row.ts'

const many = 50
const idleMs = 10_000

/**
 * From the start command to the first 200 of busybox httpd, by the local target (own namespaces, limits, seccomp,
 * health check) and by plain `crun run -d` on the host's network without any of these. Both alternate on the same
 * root. Needs root and crun.
 */
export async function benchLocal({ rounds }: BenchOptions): Promise<readonly BenchRow[]> {
  const world = await openLocalWorld()
  const peer = await openPlainCrun(world)
  try {
    const one = await compare(world, peer, 1, rounds)
    const cold = await timeStart(world, webGroup(world, many, 'cold'))
    await sleep(refillMs)
    const fifty = await compare(world, peer, many, rounds)
    const plain = (value: number) => ['plain crun', value] as const
    return [
      beside('one instance, command to first 200', 'ms', one.ours, plain(one.peer), ratioAtMost(2)),
      beside(
        `${many} instances at once, to the last first 200`,
        'ms',
        fifty.ours,
        plain(fifty.peer),
        ratioAtMost(2),
      ),
      beside(`${many} instances at once, no namespace ready`, 'ms', cold, plain(fifty.peer)),
      ...(await benchIdle(world)),
    ]
  } finally {
    peer.close()
    await world.close()
  }
}

async function compare(world: LocalWorld, peer: Peer, count: number, rounds: number) {
  const [ours, theirs]: [number[], number[]] = [[], []]
  for (let round = 0; round <= rounds; round++) {
    theirs.push(await peer.start(count))
    ours.push(await timeStart(world, webGroup(world, count, `r${round}`)))
    await sleep(refillMs)
  }
  return { ours: median(ours.slice(1)), peer: median(theirs.slice(1)) }
}

/** What idle instances cost, and how quickly a new target has them again. */
async function benchIdle(world: LocalWorld): Promise<readonly BenchRow[]> {
  const spec = webGroup(world, many, 'idle')
  await world.target.start(spec, op())
  const [observed] = (await world.target.observe(staging, op())).groups
  const records = await Promise.all((observed?.instances ?? []).map(({ id }) => world.record(id)))
  const keeper = median(records.map(({ process }) => keeperBytes(process.pid)))
  await sleep(refillMs)
  const before = process.cpuUsage()
  await sleep(idleMs)
  const { user, system } = process.cpuUsage(before)
  const begun = performance.now()
  const reopened = await world.reopen()
  const found = await reopened.observe(staging, op())
  const adoption = performance.now() - begun
  const healthy = found.groups[0]?.instances.filter(({ state }) => state === 'healthy').length
  if (healthy !== many) throw new Error(`only ${healthy} of ${many} adopted`)
  await reopened.stop(spec.id, op())
  return [
    alone('memory beside an idle instance: PSS of its keeper', 'MiB', keeper / 2 ** 20, figureAtMost(0.7)),
    alone(
      `local target, ${many} idle instances checked every 2 s`,
      '% of a core',
      (user + system) / idleMs / 10,
    ),
    alone(`adoption of ${many} instances by a new local target`, 'ms', adoption),
  ]
}
