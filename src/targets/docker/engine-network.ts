import type { NetworkPlan } from '../host/network/network-plan.ts'
import type { DockerEngine } from './engine/docker-engine.ts'
import type { NetworkState } from './engine/engine-schemas.ts'
import { asLabels, homeLabel } from './instance/labels.ts'

/** Where the Engine would choose addresses from, if somebody else put a container here. */
const containerRange = ({ octet }: NetworkPlan): string => `10.${octet}.64.0/18`

/**
 * Makes the home's bridge known to the Engine as a network, so that containers are joined to it. The bridge, its address
 * and all rules stay Basalt's: the Engine adds ports, and nothing else. One of before that does not fit, as after a
 * reboot that gave the home other addresses, is replaced; rejects with `docker.failed` while somebody is still in it.
 */
export async function ensureEngineNetwork(
  engine: DockerEngine,
  home: string,
  plan: NetworkPlan,
): Promise<void> {
  const found = await engine.network(plan.bridge)
  if (found !== null && fits(found, plan)) return
  if (found !== null) await engine.removeNetwork(plan.bridge)
  await engine.createNetwork({
    Name: plan.bridge,
    Driver: 'bridge',
    IPAM: {
      Driver: 'default',
      Config: [{ Subnet: plan.instanceRange, IPRange: containerRange(plan), Gateway: plan.gateway }],
    },
    Options: {
      'com.docker.network.bridge.name': plan.bridge,
      'com.docker.network.bridge.inhibit_ipv4': 'true',
      'com.docker.network.bridge.enable_ip_masquerade': 'false',
    },
    Labels: asLabels(homeLabel(home)),
  })
}

const fits = ({ subnets, options }: NetworkState, plan: NetworkPlan): boolean =>
  subnets.includes(plan.instanceRange) && options['com.docker.network.bridge.name'] === plan.bridge
