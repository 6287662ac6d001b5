import { BasaltError } from '../errors.ts'

/* What a Docker Engine says, in our words: the same for who builds with it and for who runs instances in it. */

const unreachableRemedy =
  'Start it, for example: systemctl start docker. Another one is named by DOCKER_HOST.'

/** @param place the path of its socket, or host:port */
export const engineUnreachable = (place: string, why: string, cause?: unknown): BasaltError =>
  new BasaltError('docker.unreachable', {
    message: `no Docker Engine answers at ${place}: ${why}`,
    remedy: unreachableRemedy,
    details: { socket: place },
    cause,
  })

export const engineForbidden = (place: string, cause: unknown): BasaltError =>
  new BasaltError('docker.forbidden', {
    message: `the server may not talk to the Docker Engine at ${place}`,
    remedy: 'Run the server as root: sudo basalt server restart',
    details: { socket: place },
    cause,
  })

/** What it refused, in its own words. */
export const engineFailed = (
  purpose: string,
  said: string,
  { statusCode, cause }: { readonly statusCode?: number | undefined; readonly cause?: unknown } = {},
): BasaltError =>
  new BasaltError('docker.failed', {
    message: `${purpose}: the Docker Engine said: ${said}`,
    remedy: "See the Engine's own log, and what Basalt finds: `basalt doctor`.",
    details: { ...(statusCode === undefined ? {} : { statusCode }), said },
    cause,
  })

/** @param instead what else the reader may do: ` or …`; nothing where there is nothing */
export const engineTooOld = (version: string, apiVersion: string, instead = ''): BasaltError =>
  new BasaltError('docker.too-old', {
    message: `Docker Engine ${version} speaks API ${apiVersion}; Basalt needs ${lowestEngineApi}`,
    remedy: `Upgrade it to Docker 20.10 or newer${instead === '' ? '.' : `, ${instead}`}`,
    details: { version, apiVersion },
  })

/** The oldest API that has everything that Basalt needs: Docker 20.10's. */
export const lowestEngineApi = '1.41'

export function isEngineTooOld(apiVersion: string): boolean {
  const [major = 0, minor = 0] = apiVersion.split('.').map(Number)
  const [lowestMajor = 0, lowestMinor = 0] = lowestEngineApi.split('.').map(Number)
  return major < lowestMajor || (major === lowestMajor && minor < lowestMinor)
}

/** An Engine and buildah tell it in words only. */
export const saysDiskFull = (said: string): boolean =>
  /no space left on device|disk quota exceeded/i.test(said)
