import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { numberOfAddress } from '../../host/network/network-plan.ts'
import type { DockerContext } from '../docker-context.ts'
import type { DockerInstance } from './docker-instance.ts'

/** Removes the container of an ended instance; what it wrote is kept for a while. */
export async function removeInstance(context: DockerContext, instance: DockerInstance): Promise<void> {
  const { engine, paths, addresses } = context
  if (instance.container !== null) {
    // A log that cannot be read any more must not keep the rest from going.
    await keepLog(context, instance, instance.container).catch(() => {})
    await engine.remove(instance.container)
  }
  await rm(paths.instance(instance.id).folder, { recursive: true, force: true })
  addresses.free(numberOfAddress(instance.record.address))
}

async function keepLog(
  { engine, paths }: DockerContext,
  { id }: DockerInstance,
  container: string,
): Promise<void> {
  const file = paths.log(id)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const lines = engine.logs(container, { follow: false, tail: null, signal: new AbortController().signal })
  await pipeline(
    async function* () {
      for await (const { text } of lines) yield `${text}\n`
    },
    createWriteStream(file, { mode: 0o600 }),
  )
}
