/** A path in an instance on which something may be mounted: absolute, in its shortest form, not the runtime's own. */
export const isMountable = (path: string): boolean =>
  path.startsWith('/') && path.slice(1).split('/').every(isName) && !belongsToRuntime(path)

const isName = (segment: string): boolean => segment !== '' && segment !== '.' && segment !== '..'

/** The root and what the runtime itself mounts. */
export const belongsToRuntime = (path: string): boolean =>
  path === '/' ||
  (['/proc', '/sys', '/dev'].some((reserved) => isWithin(path, reserved)) && !isWithin(path, '/dev/shm'))

export const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(`${folder}/`)
