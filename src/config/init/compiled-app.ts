import type { Detect, DetectedApp, Folder } from './detected-app.ts'
import { within } from './detected-app.ts'
import { hintsIn } from './source-hints.ts'

/** A Go module: Basalt copies the compiled program, it does not compile. */
export const detectGoApp: Detect = async (folder) => {
  const module = await folder.read('go.mod')
  if (module === null) return null
  const name = fileName(/^\s*module\s+(\S+)/m.exec(module)?.[1])
  const binary = `bin/${name}`
  return compiled(folder, {
    seenAs: 'Go (go.mod)',
    binary,
    name,
    base: 'scratch',
    packages: [],
    source: (await folder.read('main.go')) ?? '',
    note: `compile it first: \`CGO_ENABLED=0 go build -o ${binary} .\` in ${placeOf(folder)}`,
  })
}

/** A Rust crate: its program needs the C library, which comes as a package. */
export const detectRustApp: Detect = async (folder) => {
  const crate = await folder.read('Cargo.toml')
  if (crate === null || !/^\s*\[package\]/m.test(crate)) return null
  const name = fileName(/^\s*name\s*=\s*"([^"]+)"/m.exec(crate)?.[1])
  return compiled(folder, {
    seenAs: 'Rust (Cargo.toml)',
    binary: `target/release/${name}`,
    name,
    base: 'debian',
    packages: ['libc6', 'libgcc-s1'],
    source: (await folder.read('src/main.rs')) ?? '',
    note: `compile it first: \`cargo build --release\` in ${placeOf(folder)}`,
  })
}

interface Compiled {
  readonly seenAs: string
  readonly binary: string
  readonly name: string
  readonly base: 'debian' | 'scratch'
  readonly packages: readonly string[]
  readonly source: string
  readonly note: string
}

function compiled(folder: Folder, app: Compiled): DetectedApp {
  const hints = hintsIn(app.source)
  const port = hints.port ?? Number(/"(?:[\w.]*):(\d{2,5})"/.exec(app.source)?.[1] ?? 8080)
  return {
    folder: folder.path,
    seenAs: app.seenAs,
    build: {
      base: app.base,
      packages: app.packages,
      copy: { from: within(folder, app.binary), to: `/usr/bin/${app.name}`, ignore: [] },
      workdir: '/',
      entrypoint: [`/usr/bin/${app.name}`],
    },
    env: hints.readsPort ? { PORT: String(port) } : {},
    port,
    health: hints.healthPath ?? '/',
    notes: [app.note, 'the port is a guess'],
  }
}

const fileName = (module: string | undefined): string => {
  const last = (module ?? '').split('/').findLast((part) => !/^v\d+$/.test(part)) ?? ''
  return /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(last) ? last : 'app'
}

const placeOf = (folder: Folder): string => (folder.path === '.' ? 'this folder' : folder.path)
