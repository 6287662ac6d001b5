import packageManifest from '../../package.json' with { type: 'json' }

/** The version of this Basalt, as in package.json. */
export const version: string = packageManifest.version
