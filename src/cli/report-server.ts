import { asRoot } from '../server/home.ts'
import { version } from '../util/version.ts'
import type { Context } from './context.ts'
import { formatDuration } from './duration.ts'
import { formatSize } from './render/names.ts'

/** Prints whether a server runs, and which; `absent` where none does. Resolves with whether. */
export async function reportServer(
  context: Context,
  absent = `no server runs for ${context.home.folder}`,
): Promise<boolean> {
  const server = await context.server()
  const { folder, socketPath, logPath } = context.home
  const document = {
    schema: 'basalt.server/v1',
    running: server !== null,
    home: folder,
    socketPath,
    logPath,
    server: server === null ? null : { ...server },
  }
  const { output } = context
  await output.result(document, () => {
    if (server === null) return absent
    const upFor = formatDuration(context.now() - server.startedAt)
    const registry = server.registry?.url ?? server.registry?.problem ?? null
    const more = registry === null ? '' : `\nregistry: ${registry}`
    return (
      `${output.paint('green', 'the server runs')}: version ${server.version}, pid ${server.pid}, ` +
      `for ${upFor}, ${formatSize(server.memoryBytes)}, state in ${server.home}${more}`
    )
  })
  if (server !== null && server.version !== version && output.format === 'table')
    output.note(
      `This CLI is version ${version}. After an upgrade: ${asRoot(folder, 'server restart')} (instances go on serving).`,
    )
  return server !== null
}
