import { createInstance, type Instance, type InstanceFacts } from '../../host/instance/instance.ts'

export interface DockerInstance extends Instance {
  /** The container's id; null until the Engine has made it. */
  container: string | null
  /** The Engine began to run it: from then on it is asked whether it still does. */
  started: boolean
  /** What the Engine said when it could not run the command; null else. */
  refusal: string | null
}

export const createDockerInstance = (facts: InstanceFacts, container: string | null): DockerInstance => ({
  ...createInstance(facts),
  container,
  started: container !== null,
  refusal: null,
})
