import { access, readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { exec } from '../../../util/exec.ts'
import type { LocalContext } from '../local-context.ts'
import type { LocalInstance } from './local-instance.ts'

/**
 * Removes every trace of an ended instance but its log and its volumes. The record goes last, so that what a
 * crash leaves is removed by the next server.
 */
export async function removeInstance(context: LocalContext, instance: LocalInstance): Promise<void> {
  const { paths, record, id } = instance
  await removeContainer(context, id)
  await context.network.pool.remove([record.namespace])
  await Promise.all([rm(paths.pidFile, { force: true }), rm(paths.exitFile, { force: true })])
  await rm(paths.folder, { recursive: true, force: true })
}

/** A runtime that ended by itself has left nothing; one that was killed left its state and the cgroups. */
export async function removeContainer({ runtime, paths }: LocalContext, id: string): Promise<void> {
  const left = await access(join(paths.runtimeState, id)).then(
    () => true,
    () => false,
  )
  if (!left) return
  const [program = '', ...args] = runtime.command(['--root', paths.runtimeState, 'delete', '--force', id])
  await exec(program, args)
  await rm(join(paths.runtimeState, id), { recursive: true, force: true })
  await removeCgroups(`${paths.cgroup}/${id}`)
}

/** Folders of a cgroup path in every hierarchy, version 1 or 2; those that still hold processes stay. */
export async function removeCgroups(path: string): Promise<void> {
  const mountPoint = '/sys/fs/cgroup'
  const hierarchies = (await readdir(mountPoint, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(mountPoint, name, path))
  await Promise.all([join(mountPoint, path), ...hierarchies].map((folder) => rmdir(folder).catch(() => {})))
}
