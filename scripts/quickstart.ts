/**
 * The main job, told step by step, on the shop of examples/: build, freeze, deploy, put load on it, deploy a
 * change by replacement, roll back. Everything it makes is in .basalt/quickstart; what it leaves running is there
 * to be looked at.
 *
 * Usage: scripts/quickstart.sh          run it; a second run begins anew
 *        scripts/quickstart.sh --down   take everything away that it left
 */
import { existsSync, rmSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { DeploymentResult } from '../src/engine/engine.ts'
import { BasaltCommand } from './quickstart/basalt-command.ts'
import { freePort } from './quickstart/free-port.ts'
import { LoadProcess } from './quickstart/load-process.ts'
import {
  buildSummary,
  deploymentSummary,
  loadTable,
  type ToldStep,
  tellAside,
  tellStep,
  tellTable,
} from './quickstart/narrator.ts'
import { ShopCopy } from './quickstart/shop-copy.ts'

const root = resolve(import.meta.dirname, '..')
const folder = join(root, '.basalt/quickstart')
const home = join(folder, 'home')
const shopFolder = join(folder, 'shop')
const ratePerSecond = 300
const steadyMs = 2000

async function runQuickstart(): Promise<void> {
  const ports = { staging: await freePort(8080), production: await freePort(8090) }
  if (ports.staging !== 8080) console.log(`Port 8080 is taken: the shop will answer at ${ports.staging}.\n`)
  const shop = new ShopCopy(shopFolder, ports)
  const url = `http://localhost:${ports.staging}/`
  console.log(`examples/shop, copied to ${relative(process.cwd(), shopFolder)}: web, api and cache\n`)

  await deployFirst(shop)
  const load = new LoadProcess(url, ratePerSecond)
  tellAside(`${ratePerSecond} requests a second from here on; every answer is looked at.`)
  await pause(steadyMs)
  await deployChange(shop)
  await pause(steadyMs)
  const rollback = await rollBack()
  await pause(steadyMs)
  const report = await load.stop()

  tellTable(loadTable(report, rollback))
  tellNext(url)
  if (report.failed + report.mixed > 0) process.exitCode = 1
}

const basalt = (...args: readonly string[]) => new BasaltCommand(shopFolder, home).run(...args)

async function deployFirst(shop: ShopCopy): Promise<void> {
  await tellStep('build', 'basalt build', () => basalt('build'), buildSummary)
  shop.commit('Pin the packages')
  await tellStep(
    'deploy',
    'basalt deploy shop@1 -e staging',
    () => basalt('deploy', 'shop@1', '-e', 'staging', '--yes'),
    deploymentSummary,
  )
}

async function deployChange(shop: ShopCopy): Promise<void> {
  tellAside('web/page.mjs gets another headline.')
  shop.changePage('Stones for every occasion')
  shop.commit('Another headline')
  await tellStep(
    'deploy',
    'basalt deploy -e staging',
    () => basalt('deploy', '-e', 'staging', '--yes'),
    deploymentSummary,
  )
}

const rollBack = (): Promise<ToldStep<DeploymentResult>> =>
  tellStep(
    'roll back',
    'basalt rollback -e staging',
    () => basalt('rollback', '-e', 'staging', '--yes'),
    deploymentSummary,
  )

function tellNext(url: string): void {
  console.log(`
The shop goes on: ${url}

What to try next:
  cd ${shopFolder}
  export BASALT_HOME=${home} PATH=${join(root, 'bin')}:$PATH
  basalt status                        # environments, releases, health, endpoints
  basalt plan shop@2 -e staging        # what would be started, kept and stopped, and why
  basalt deploy shop@2 -e staging      # forward again: one switch while it is warm
  basalt diff shop@1 shop@2            # what differs between the two
  basalt history                       # every attempt: who, when, from, to, outcome
  basalt logs web -f                   # what the instances write
  basalt deploy shop@2 -e production   # what passed staging, digest for digest

Take it all down:
  npm --prefix ${root} run quickstart -- --down`)
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

if (existsSync(home)) await new BasaltCommand('/', home).run('remove', '--data', '--yes')
if (process.argv.includes('--down')) {
  rmSync(folder, { recursive: true, force: true })
  console.log('Nothing is left of the quickstart.')
} else await runQuickstart()
