/** A folder's name as the name of a system or service. */
export function systemNameFor(folderName: string): string {
  const name = folderName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 40)
    .replace(/-+$/, '')
  return name === '' || name === 'localhost' ? 'system' : name
}
