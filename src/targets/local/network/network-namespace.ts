import { execOrThrow } from '../../../util/exec.ts'
import { ipBatch } from '../../host/network/ip-batch.ts'
import { addressOf, type NetworkPlan } from '../../host/network/network-plan.ts'

/** A network namespace with one address, joined to the bridge and ready for traffic. */
export interface NetworkNamespace {
  readonly number: number
  readonly name: string
  readonly path: string
  readonly address: string
  /** The host's end of the veth pair. */
  readonly hostLink: string
}

export const namespaceFolder = '/run/netns'

export const namespaceOf = (plan: NetworkPlan, number: number): NetworkNamespace => ({
  number,
  name: `${plan.bridge}-${number}`,
  path: `${namespaceFolder}/${plan.bridge}-${number}`,
  address: addressOf(plan, number),
  hostLink: `bs${plan.key}-${number}`,
})

/** One `ip` process for the host's side of all, one more for the inside of each, started by one shell. */
export async function makeNamespaces(
  plan: NetworkPlan,
  namespaces: readonly NetworkNamespace[],
): Promise<void> {
  const purpose = 'network namespaces could not be made'
  await ipBatch(
    purpose,
    namespaces.flatMap(({ name, hostLink }) => [
      `netns add ${name}`,
      `link add ${hostLink} type veth peer name eth0 netns ${name}`,
      `link set ${hostLink} master ${plan.bridge} addrgenmode none up`,
      // Isolated ports talk to the bridge itself only: instances meet through the router or not at all.
      `link set ${hostLink} type bridge_slave isolated on`,
    ]),
  )
  const inside = namespaces.map(
    (namespace) =>
      `ip -n ${namespace.name} -batch - <<'end'\n${insideCommands(plan, namespace).join('\n')}\nend\n`,
  )
  await execOrThrow('network.setup-failed', purpose, 'sh', ['-e'], { input: inside.join('') })
}

/** A /32: every packet goes through the gateway, where the firewall answers at once. */
const insideCommands = (plan: NetworkPlan, { address }: NetworkNamespace): readonly string[] => [
  'link set lo up',
  'link set eth0 addrgenmode none up',
  `address add ${address}/32 dev eth0`,
  `route add default via ${plan.gateway} dev eth0 onlink`,
]
