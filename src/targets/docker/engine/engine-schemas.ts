import * as z from 'zod'

/** The parts of the Engine's answers that Basalt reads (Docker Engine API 1.41). */
const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((found) => found ?? {})

export const versionSchema = z.object({
  Version: z.string(),
  ApiVersion: z.string(),
  Arch: z.string().optional(),
})

export const infoSchema = z.object({
  LiveRestoreEnabled: z.boolean().default(false),
  CgroupDriver: z.string().default(''),
  CgroupVersion: z.string().default('1'),
  DockerRootDir: z.string().default(''),
})

export const containersSchema = z.array(
  z.object({ Id: z.string(), State: z.string(), Labels: labels }).transform((found) => ({
    id: found.Id,
    /** `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead` */
    state: found.State,
    labels: found.Labels,
  })),
)
export type ContainerSummary = z.infer<typeof containersSchema>[number]

export const containerSchema = z
  .object({
    Id: z.string(),
    State: z.object({
      Running: z.boolean(),
      Pid: z.int(),
      ExitCode: z.int(),
      Error: z.string().default(''),
      /** RFC 3339; year 1 before there is one. */
      FinishedAt: z.string(),
    }),
  })
  .transform(({ Id, State }) => ({
    id: Id,
    running: State.Running,
    /** On the host; 0 while it does not run. */
    pid: State.Pid,
    exitCode: State.ExitCode,
    /** What the runtime said when it could not start; '' else. */
    error: State.Error,
    finishedAt: Math.max(0, Date.parse(State.FinishedAt)),
  }))
export type ContainerState = z.infer<typeof containerSchema>

export const networkSchema = z
  .object({
    Id: z.string(),
    IPAM: z.object({
      Config: z
        .array(z.object({ Subnet: z.string().optional() }))
        .nullish()
        .transform((found) => found ?? []),
    }),
    Options: labels,
    Labels: labels,
  })
  .transform((found) => ({
    id: found.Id,
    subnets: found.IPAM.Config.flatMap(({ Subnet }) => (Subnet === undefined ? [] : [Subnet])),
    options: found.Options,
    labels: found.Labels,
  }))
export type NetworkState = z.infer<typeof networkSchema>

export const execStateSchema = z.object({ ExitCode: z.int().nullable(), Pid: z.int().default(0) })

/** Of one line of the event stream. */
export const eventSchema = z.object({
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: labels }),
})
