import { dockerfileHints } from '../dockerfile-hints.ts'
import { dockerfileNames } from '../implied-names.ts'
import type { Detect } from './detected-app.ts'

const port = 8080

/** A folder with a Dockerfile: whoever wrote it has said how the image is made. */
export const detectDockerfile: Detect = async (folder) => {
  // Another name than Dockerfile would have to be written down; a Containerfile is left to the other detectors.
  const [name] = dockerfileNames
  const text = name === undefined ? null : await folder.read(name)
  if (text === null) return null
  const [exposed] = dockerfileHints(text, null).ports
  return {
    folder: folder.path,
    seenAs: 'built by its Dockerfile',
    build: 'dockerfile',
    env: {},
    port: exposed ?? port,
    health: '/',
    notes: exposed === undefined ? [`the Dockerfile exposes no port: check that it listens on ${port}`] : [],
  }
}
