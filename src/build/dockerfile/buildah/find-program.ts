import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where system administration's programs are, though not in everybody's PATH. */
const systemFolders = ['/usr/sbin', '/sbin'] as const

/** The absolute path of a program of this machine; null: it is not installed. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...systemFolders]
  return (
    folders
      .filter((folder) => folder.startsWith('/'))
      .map((folder) => join(folder, name))
      .find(isExecutable) ?? null
  )
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
