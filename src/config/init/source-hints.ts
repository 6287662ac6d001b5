/** What a program's source tells about how to reach it. Guesses: the proposal says so. */
export interface SourceHints {
  readonly port: number | null
  /** It reads its port from the environment variable PORT. */
  readonly readsPort: boolean
  readonly healthPath: string | null
  /** It seems to listen on the loopback address only, where neither the router nor a health check reaches it. */
  readonly loopbackOnly: boolean
}

/** For people, where `loopbackOnly`. */
export const loopbackNote =
  'it seems to listen on 127.0.0.1 only: let it listen on 0.0.0.0, or nothing reaches it'

/** Flask without a host, uvicorn and gunicorn too, listen on the loopback address. */
const loopbackPatterns: readonly RegExp[] = [
  /\b(?:app|uvicorn)\.run\((?![^)]*\bhost\b)[^)]*\)/,
  /(?:listen|bind|run|Server|serve)\w*\([^\n)]{0,60}['"](?:127\.0\.0\.1|localhost)['"]/,
]

const portPatterns: readonly RegExp[] = [
  /\bPORT\b[^\n\d]{0,24}(\d{2,5})\b/,
  /\.listen\(\s*\{?\s*(?:port:\s*)?(\d{2,5})\b/,
  /\bport\s*[=:]\s*(\d{2,5})\b/i,
  /\(\s*(?:['"][\w.:]*['"])\s*,\s*(\d{2,5})\s*\)/,
  /--port[ =](\d{2,5})\b/,
]

export function hintsIn(source: string): SourceHints {
  const ports = portPatterns.map((pattern) => Number(pattern.exec(source)?.[1] ?? 0))
  const health = /['"`\s](\/(?:up|healthz|health|livez|readyz|ping))\b['"`/?]/.exec(source)
  return {
    port: ports.find((port) => port > 0 && port <= 65_535) ?? null,
    readsPort: /\bPORT\b/.test(source),
    healthPath: health?.[1] ?? null,
    loopbackOnly: loopbackPatterns.some((pattern) => pattern.test(source)),
  }
}
