const folders = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** The environment with the folders of haproxy, nft and ip in PATH: `su`, cron and users often lack them. */
export function withSystemPaths(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const present = (environment['PATH'] ?? '').split(':').filter((folder) => folder !== '')
  const missing = folders.filter((folder) => !present.includes(folder))
  return { ...environment, PATH: [...present, ...missing].join(':') }
}
