import type { Health } from '../../server/protocol.ts'
import type { ExecResult } from '../../util/exec.ts'

/** What probes may look at. */
export interface Machine {
  /** Runs a program; null when it is not installed. Never rejects. */
  run(file: string, ...args: string[]): Promise<ExecResult | null>
  /** The text of a file; empty when it cannot be read. */
  read(path: string): string
  /** Names in a folder; empty when it cannot be read. */
  list(path: string): readonly string[]
  freeBytes(path: string): number
  /** Asks this machine's Docker Engine by GET. Never rejects. */
  docker(path: string): Promise<EngineAnswer>
  /** Starts a container with one runtime after the other until one works. Needs root. */
  tryRuntimes(): Promise<readonly RuntimeTrial[]>
  readonly userId: number
  readonly nodeVersion: string
  readonly cliVersion: string
  readonly homeFolder: string
  readonly groupName: string
  /** The running server; null when none answers us. */
  readonly server: Health | null
}

/** `failed`: with the code of the system's error, or what the Engine said. */
export type EngineAnswer =
  | { readonly kind: 'answer'; readonly socket: string; readonly body: unknown }
  | { readonly kind: 'failed'; readonly socket: string; readonly why: string }
/** As the local target tells of it, of which commands know nothing else. */
export interface RuntimeTrial {
  readonly candidate: { readonly program: string; readonly hidesUnifiedHierarchy: boolean }
  readonly works: boolean
  readonly isInstalled: boolean
  /** What the runtime said when it did not work. */
  readonly problem: string
}

export interface Finding {
  /** `poor`: works, with a limit that the detail names. */
  readonly state: 'found' | 'poor' | 'missing'
  readonly detail: string
  /** Where another one helps than the probe's own. */
  readonly remedy?: string
}

/** One thing that Basalt needs of a machine, as data. */
export interface Probe {
  readonly name: string
  readonly purpose: string
  /** Without a required one, systems cannot run here. */
  readonly required: boolean
  readonly remedy: string
  /** Null where it is of no interest on this machine. */
  find(machine: Machine): Promise<Finding | null> | Finding | null
}

export interface ProbeReport extends Omit<Finding, 'remedy'> {
  readonly name: string
  readonly purpose: string
  readonly required: boolean
  /** Null when nothing is to be done. */
  readonly remedy: string | null
}

export async function runProbes(probes: readonly Probe[], machine: Machine): Promise<readonly ProbeReport[]> {
  const reports = await Promise.all(
    probes.map(async (probe): Promise<readonly ProbeReport[]> => {
      const finding = await probe.find(machine)
      if (finding === null) return []
      const { name, purpose, required, remedy } = probe
      const helps = finding.state === 'found' ? null : (finding.remedy ?? remedy)
      return [{ name, purpose, required, ...finding, remedy: helps }]
    }),
  )
  return reports.flat()
}
