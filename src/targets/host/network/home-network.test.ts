import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exec } from '../../../util/exec.ts'
import { missing, newHome } from '../../local/local-target.fixture.ts'
import { type HomeNetwork, openHomeNetwork } from './home-network.ts'

describe('the network of a home', () => {
  let home: string
  let network: HomeNetwork

  beforeEach(async (context) => {
    const reason = missing()
    if (reason !== null) return context.skip(reason)
    home = await newHome()
    network = await openHomeNetwork(home)
  })
  afterEach(async () => {
    if (missing() !== null) return
    await network.remove()
    await rm(home, { recursive: true, force: true })
  })

  const rules = async (): Promise<string> =>
    (await exec('nft', ['list', 'table', 'inet', network.plan.firewallTable])).stdout

  it('has its firewall again after another program removed it, and says so', async () => {
    const reports: string[] = []
    const endWatch = network.watch(({ code, message }) => reports.push(`${code}: ${message}`))
    const before = await rules()
    expect(before).toContain('masquerade')
    await exec('nft', ['delete', 'table', 'inet', network.plan.firewallTable])
    expect(await rules()).toBe('')
    await expect.poll(rules, { timeout: 30_000, interval: 100 }).toBe(before)
    await expect.poll(() => reports).toEqual([expect.stringContaining('network.rules-lost')])
    await endWatch()
  }, 60_000)
})

describe('the forwarding that instances need', () => {
  let home: string
  beforeEach(async (context) => {
    const reason = missing()
    if (reason !== null) return context.skip(reason)
    home = await newHome()
  })
  afterEach(() => (missing() === null ? rm(home, { recursive: true, force: true }) : undefined))

  /** What a machine of its own says: it has a network on its left and one on its right. */
  async function onMachine(script: string): Promise<readonly string[]> {
    const fixture = fileURLToPath(new URL('home-network.fixture.ts', import.meta.url))
    const words = `
      mount -t tmpfs none /run
      network() {
        ip netns add $1
        ip link add $1 type veth peer name eth0 netns $1
        ip address add $2.1/24 dev $1
        ip link set $1 up
        ip -n $1 address add $2.2/24 dev eth0
        ip -n $1 link set eth0 up
        ip -n $1 route add default via $2.1
      }
      reaches() {
        if ip netns exec $1 busybox ping -c 1 -W 1 $2.2 >/dev/null; then echo $1 reaches; else echo $1 does not; fi
      }
      forwarding() { cat /proc/sys/net/ipv4/ip_forward; }
      basalt() { ${process.execPath} --disable-warning=ExperimentalWarning ${fixture} $1 ${home}; }
      network left 192.0.2
      network right 198.51.100
      ${script}`
    const { stdout, stderr, exitCode } = await exec('unshare', ['--net', '--mount', 'sh', '-ec', words])
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
    return stdout.trim().split('\n')
  }

  it('makes no router of a machine that was none, and ends with the last home', async () => {
    const said = await onMachine(`
      echo 0 > /proc/sys/net/ipv4/ip_forward
      basalt open; forwarding; reaches left 198.51.100
      basalt open; reaches left 198.51.100
      network docker 203.0.113; reaches docker 198.51.100; reaches right 203.0.113
      basalt remove; forwarding
      basalt open; reaches left 198.51.100
      ip link delete docker
      basalt remove; forwarding`)
    expect(said).toEqual([
      '1',
      'left does not',
      'left does not',
      'docker reaches',
      'right reaches',
      // Somebody may rely on it.
      '1',
      'left does not',
      '0',
    ])
  }, 60_000)

  it('is on again after another program turned it off, but not for others, and says so', async () => {
    const said = await onMachine(`
      echo 1 > /proc/sys/net/ipv4/ip_forward
      basalt watch >/run/said & watch=$!
      until grep -q watching /run/said; do sleep 0.1; done
      reaches left 198.51.100
      echo 0 > /proc/sys/net/ipv4/ip_forward
      wait $watch; cat /run/said
      forwarding; reaches left 198.51.100
      basalt remove; forwarding`)
    expect(said).toEqual([
      'left reaches',
      'watching',
      'network.forwarding-lost',
      '1',
      // Who turned it off wants no router.
      'left does not',
      '0',
    ])
  }, 90_000)

  it('leaves a machine alone that is a router', async () => {
    const said = await onMachine(`
      echo 1 > /proc/sys/net/ipv4/ip_forward
      basalt open; reaches left 198.51.100; reaches right 192.0.2
      basalt remove; forwarding`)
    expect(said).toEqual(['left reaches', 'right reaches', '1'])
  }, 60_000)
})
