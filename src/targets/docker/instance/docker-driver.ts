import type { InstanceDriver } from '../../host/instance-context.ts'
import type { DockerContext } from '../docker-context.ts'
import { confirmAlive } from './confirm-alive.ts'
import type { DockerInstance } from './docker-instance.ts'
import { endInstance } from './end-instance.ts'
import { launchInstances } from './launch-instance.ts'
import { neverRan } from './never-ran.ts'
import { noteHealthy } from './note-healthy.ts'
import { removeInstance } from './remove-instance.ts'

/** As of a shell for what cannot be run: the Engine refused to. */
const notRun = 126

/** @param context asked for only once a verb needs it */
export const createDockerDriver = (context: () => DockerContext): InstanceDriver<DockerInstance> => ({
  confirmAlive: (instances) => confirmAlive(context(), instances),
  launch: (group, count, op) => launchInstances(context(), group, count, op),
  end: (instance, signal, graceMs) => endInstance(context(), instance, signal, graceMs),
  remove: (instance) => removeInstance(context(), instance),
  runInside: (instance, command, timeoutMs) =>
    context()
      .engine.run(instance.container ?? '', command, timeoutMs)
      .catch((error: unknown) => ({ exitCode: notRun, output: (error as Error).message })),
  noteHealthy: (instance) => noteHealthy(context(), instance),
  async lastLines({ container }, count) {
    if (container === null) return []
    const options = { follow: false, tail: count, signal: new AbortController().signal }
    const lines: string[] = []
    for await (const { text } of context().engine.logs(container, options)) lines.push(text)
    return lines
  },
  neverRan: (instance) => neverRan(context(), instance),
})
