/**
 * Every measurement that Basalt is held to, beside its peers, in one run.
 *
 * Usage: npm run bench -- [--only local,router] [--rounds 5] [--folder /var/tmp]
 */
import { cpus, loadavg, release, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { benchBuildLayer } from './build-layer.ts'
import { benchCommands } from './commands.ts'
import { benchDocker } from './docker.ts'
import { benchDockerDeploy } from './docker-deploy.ts'
import { benchDockerRecreate } from './docker-recreate.ts'
import { benchDockerfile } from './dockerfile.ts'
import { benchLocal } from './local.ts'
import { benchPlan } from './plan.ts'
import { benchRegistry } from './registry.ts'
import { benchRouter } from './router.ts'
import { type Bench, type BenchOptions, type BenchRow, meetsGoal } from './row.ts'
import { benchStore } from './store.ts'
import { benchSystem } from './system.ts'
import { renderTable } from './table.ts'

const benches: readonly Bench[] = [
  { name: 'local', run: benchLocal },
  { name: 'docker', run: benchDocker },
  { name: 'docker-deploy', run: benchDockerDeploy },
  { name: 'docker-recreate', run: benchDockerRecreate },
  { name: 'system', run: benchSystem },
  { name: 'commands', run: benchCommands },
  { name: 'router', run: benchRouter },
  { name: 'layer', run: benchBuildLayer },
  { name: 'dockerfile', run: benchDockerfile },
  { name: 'store', run: benchStore },
  { name: 'plan', run: benchPlan },
  { name: 'registry', run: benchRegistry },
]

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    // By the file system hierarchy standard on a disk, which /tmp need not be.
    folder: { type: 'string', default: '/var/tmp' },
  },
})
const names = values.only?.split(',') ?? benches.map(({ name }) => name)
const unknown = names.filter((name) => benches.every((bench) => bench.name !== name))
const options = { rounds: Number(values.rounds), folder: values.folder }

if (unknown.length > 0 || !Number.isInteger(options.rounds) || options.rounds < 1) {
  const known = benches.map(({ name }) => name).join(', ')
  console.error(`usage: npm run bench -- [--only ${known}] [--rounds 5] [--folder /var/tmp]`)
  process.exitCode = 2
} else {
  console.log(`${machine()}\nmedians of ${options.rounds} rounds\n`)
  const rows: BenchRow[] = []
  for (const bench of benches.filter(({ name }) => names.includes(name)))
    rows.push(...(await rowsOf(bench, options)))
  console.log(renderTable(rows))
  const goals = rows.map(meetsGoal).filter((met) => met !== null)
  console.log(`\n${goals.filter(Boolean).length} of ${goals.length} goals met`)
}

/** A bench that cannot run or breaks is told of, and the others still run. */
async function rowsOf({ name, run }: Bench, benchOptions: BenchOptions): Promise<readonly BenchRow[]> {
  const since = performance.now()
  const load = loadavg()[0]?.toFixed(1)
  try {
    const result = await run(benchOptions)
    if ('skipped' in result) {
      console.error(`${name}: SKIPPED: ${result.skipped}`)
      return []
    }
    console.error(`${name}: ${Math.round((performance.now() - since) / 1000)} s, load before ${load}`)
    return result
  } catch (error) {
    console.error(`${name}: FAILED:`, error)
    process.exitCode = 1
    return []
  }
}

function machine(): string {
  const [first] = cpus()
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  return `${cpus().length} × ${first?.model}, ${memory}, Linux ${release()}, Node ${process.version}`
}
