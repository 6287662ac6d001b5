/** What the router knows of the network of one Basalt home. The local target makes the bridge and its address. */
export interface RouterNetwork {
  readonly bridge: string
  /** The host's IPv4 address on the bridge. Instances send everything that is not theirs there. */
  readonly gateway: string
  /**
   * Addresses that no machine has: packets to them reach the host (from instances by their default route, from the
   * host itself by the bridge's own network) and are redirected to the router there.
   */
  readonly serviceRange: ServiceRange
  /** A table of family `inet` that belongs to the router alone: it is replaced as a whole and removed at the end. */
  readonly table: string
}

export interface ServiceRange {
  readonly cidr: string
  readonly first: string
  readonly count: number
}
