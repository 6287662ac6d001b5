import * as z from 'zod'
import type { Digest } from '../../core/ids.ts'
import type { NativeRecipe } from '../../core/system.ts'
import type { Descriptor } from '../../images/content-store.ts'
import { digestSchema } from '../../images/descriptor.ts'
import type { LayerPath } from './image-paths.ts'

/** A layer as an image names it. */
export interface ImageLayer {
  readonly descriptor: Descriptor
  readonly diffId: Digest
  readonly paths: readonly LayerPath[]
}

/** The members of an image configuration that are read (OCI image-spec, config.md); all others are dropped. */
export const imageConfigSchema = z.object({
  architecture: z.string(),
  os: z.string(),
  variant: z.string().optional(),
  config: z
    .object({
      User: z.string().optional(),
      Env: z.array(z.string()).nullish(),
      Entrypoint: z.array(z.string()).nullish(),
      Cmd: z.array(z.string()).nullish(),
      WorkingDir: z.string().optional(),
      Labels: z.record(z.string(), z.string()).nullish(),
      Volumes: z.record(z.string(), z.object({})).nullish(),
      ExposedPorts: z.record(z.string(), z.object({})).nullish(),
      StopSignal: z.string().optional(),
    })
    .nullish(),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(digestSchema) }),
  history: z.array(z.record(z.string(), z.unknown())).nullish(),
})

export type ImageConfig = z.infer<typeof imageConfigSchema>

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** How a process of the image starts: the base's settings with the recipe's over them, as in a Dockerfile. */
export interface ProcessSettings {
  readonly env: Readonly<Record<string, string>>
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly workdir: string
  readonly user: string
  readonly labels: Readonly<Record<string, string>>
}

export function processSettings(recipe: NativeRecipe, base: ImageConfig | null): ProcessSettings {
  const inherited = base?.config
  const ownEntrypoint = recipe.entrypoint.length > 0
  return {
    env: { PATH: defaultPath, ...environmentOf(inherited?.Env ?? []), ...recipe.env },
    entrypoint: ownEntrypoint ? recipe.entrypoint : (inherited?.Entrypoint ?? []),
    // A new entrypoint would get arguments that were meant for the old one.
    cmd: ownEntrypoint ? [] : (inherited?.Cmd ?? []),
    workdir: recipe.workdir === '/' ? (inherited?.WorkingDir ?? '/') || '/' : recipe.workdir,
    user: recipe.user ?? inherited?.User ?? '',
    labels: { ...inherited?.Labels, ...recipe.labels },
  }
}

function environmentOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const equals = line.indexOf('=')
      return equals === -1 ? [line, ''] : [line.slice(0, equals), line.slice(equals + 1)]
    }),
  )
}

export interface ConfigParts {
  readonly architecture: string
  readonly created: string
  readonly base: ImageConfig | null
  readonly settings: ProcessSettings
  readonly diffIds: readonly Digest[]
  /** One line for each layer that was added to the base. */
  readonly createdBy: readonly string[]
}

/** The image configuration as plain JSON (OCI image-spec, config.md). Empty members are left out. */
export function imageConfig({
  architecture,
  created,
  base,
  settings,
  diffIds,
  createdBy,
}: ConfigParts): object {
  const inherited = base?.config
  const history = createdBy.map((line) => ({ created, created_by: line, comment: 'basalt' }))
  return {
    created,
    architecture,
    os: 'linux',
    ...(variantOf(architecture) === null ? {} : { variant: variantOf(architecture) }),
    config: {
      Env: Object.entries(settings.env)
        .map(([name, value]) => `${name}=${value}`)
        .sort(),
      WorkingDir: settings.workdir,
      ...(settings.entrypoint.length === 0 ? {} : { Entrypoint: settings.entrypoint }),
      ...(settings.cmd.length === 0 ? {} : { Cmd: settings.cmd }),
      ...(settings.user === '' ? {} : { User: settings.user }),
      ...(Object.keys(settings.labels).length === 0 ? {} : { Labels: settings.labels }),
      ...(inherited?.ExposedPorts ? { ExposedPorts: inherited.ExposedPorts } : {}),
      ...(inherited?.Volumes ? { Volumes: inherited.Volumes } : {}),
      ...(inherited?.StopSignal ? { StopSignal: inherited.StopSignal } : {}),
    },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: [...(base?.history ?? []), ...history],
  }
}

/** What the field calls the CPU of an architecture more exactly, where it does (image-index.md, "Platform Variants"). */
const variantOf = (architecture: string): string | null => ({ arm64: 'v8', arm: 'v7' })[architecture] ?? null
