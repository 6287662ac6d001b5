import { dirname, relative, resolve } from 'node:path'
import { BasaltError } from '../../../errors.ts'
import type { ComposeMistakes } from '../compose-mistakes.ts'
import {
  type ComposeEntry,
  type ComposeMap,
  type ComposeNode,
  type ComposePlace,
  emptyMap,
  member,
  membersOf,
  suggestion,
  textOf,
  textsOf,
} from '../compose-node.ts'
import { checkKeys } from './check-keys.ts'
import type { ComposeFiles } from './compose-files.ts'
import type { Lookup } from './interpolate.ts'
import { interpolateTree, type UsedVariable } from './interpolate-tree.ts'
import { mergeNodes } from './merge-nodes.ts'
import { projectLookup } from './project-environment.ts'
import { readTree } from './read-tree.ts'

export interface LoadedService {
  readonly name: string
  readonly at: ComposePlace
  /** With all that it extends merged in. */
  readonly block: ComposeMap
  /** The variables of its file. */
  readonly lookup: Lookup
}

export interface ComposeProject {
  readonly services: ReadonlyMap<string, LoadedService>
  /** `volumes`, `networks`, `configs`, `secrets`, `models`, `name`, `version`: of all files. */
  readonly top: ReadonlyMap<string, ComposeEntry>
  /** Every file that was read, as people see it. */
  readonly files: readonly string[]
  readonly variables: readonly UsedVariable[]
  readonly lookup: Lookup
}

/** The world that a project is read from. */
export interface ProjectSource {
  readonly files: ComposeFiles
  /** The variables of the shell. */
  readonly environment: Lookup
  /** Absolute; file names are shown relative to it. */
  readonly folder: string
}

interface Document {
  readonly path: string
  readonly root: ComposeMap
  readonly lookup: Lookup
}

const mostFiles = 100
const mostServices = 1000
/** `extends` repeats parts; a project whose parts multiply beyond this is an attack or an accident. */
const mostParts = 200_000
const deepestExtends = 50
const named = ['volumes', 'networks', 'configs', 'secrets', 'models']

/**
 * Reads a Compose file with all that it includes and extends.
 *
 * @throws BasaltError `compose.missing` when the file itself cannot be read; mistakes in it are reported
 */
export async function loadProject(
  path: string,
  source: ProjectSource,
  mistakes: ComposeMistakes,
): Promise<ComposeProject> {
  return new ProjectLoader(source, mistakes).load(path)
}

class ProjectLoader {
  readonly #source: ProjectSource
  readonly #mistakes: ComposeMistakes
  readonly #documents = new Map<string, Document | null>()
  readonly #resolved = new Map<string, ComposeMap>()
  readonly #variables: UsedVariable[] = []
  readonly #files = new Set<string>()
  readonly #services = new Map<string, LoadedService>()
  readonly #top = new Map<string, ComposeEntry>()
  #parts = 0

  constructor(source: ProjectSource, mistakes: ComposeMistakes) {
    this.#source = source
    this.#mistakes = mistakes
  }

  async load(path: string): Promise<ComposeProject> {
    const read = await this.#source.files.read(path)
    if (!read.ok)
      throw new BasaltError('compose.missing', {
        message: `${this.#show(path)} ${read.fact}`,
        remedy: 'Name a Compose file: `basalt init --from compose.yaml`.',
        details: { file: path },
      })
    const folder = dirname(path)
    const lookup = await this.#lookup(folder, null, this.#source.environment)
    await this.#application([{ path, at: null }], folder, lookup, [])
    return {
      services: this.#services,
      top: this.#top,
      files: [...this.#files],
      variables: this.#variables,
      lookup,
    }
  }

  /** One Compose application: its files merged, and everything that it includes. */
  async #application(
    paths: readonly { readonly path: string; readonly at: ComposePlace | null }[],
    folder: string,
    lookup: Lookup,
    including: readonly string[],
  ): Promise<void> {
    let whole: ComposeMap | null = null
    for (const { path, at: named } of paths) {
      const document = await this.#document(path, folder, lookup, named)
      if (document === null) continue
      const services = new Map<string, ComposeEntry>()
      for (const [name, { key }] of membersOf(member(document.root, 'services'))) {
        const block = await this.#service(document, name, [])
        if (block !== null) services.set(name, { key, value: block })
      }
      const at = document.root.entries.get('services')?.key ?? document.root.at
      const entries = new Map(document.root.entries)
      entries.set('services', { key: at, value: { kind: 'map', at, entries: services } })
      const resolved: ComposeMap = { ...document.root, entries }
      whole = whole === null ? resolved : (mergeNodes(whole, resolved) as ComposeMap)
    }
    if (whole === null) return
    this.#adopt(whole, lookup)
    await this.#includes(whole, folder, lookup, [...including, ...paths.map(({ path }) => path)])
  }

  /** Takes over the resources of an application; a name that another one has is a mistake. */
  #adopt(application: ComposeMap, lookup: Lookup): void {
    for (const [name, { key, value }] of membersOf(member(application, 'services'))) {
      const block = value.kind === 'map' ? value : emptyMap(key)
      const before = this.#services.get(name)
      if (before !== undefined) this.#conflict('service', name, key, before.at)
      else if (this.#services.size === mostServices)
        this.#mistakes.report(key, `there are more than ${mostServices} services`, 'Import them in parts.')
      else if (this.#services.size < mostServices) this.#services.set(name, { name, at: key, block, lookup })
    }
    for (const [key, entry] of application.entries) {
      const before = this.#top.get(key)
      if (key === 'services' || key === 'include') continue
      if (before === undefined) this.#top.set(key, entry)
      else if (named.includes(key)) {
        for (const [name, { key: at }] of membersOf(entry.value)) {
          const other = before.value.kind === 'map' ? before.value.entries.get(name) : undefined
          if (other !== undefined && key !== 'networks') this.#conflict(key.slice(0, -1), name, at, other.key)
        }
        this.#top.set(key, { ...before, value: mergeNodes(before.value, entry.value, key) })
      }
    }
  }

  #conflict(kind: string, name: string, at: ComposePlace, before: ComposePlace): void {
    this.#mistakes.report(
      at,
      `the ${kind} \`${name}\` is also in ${before.file}:${before.line}`,
      'Rename one of them: included files are not merged.',
    )
  }

  async #includes(
    application: ComposeMap,
    folder: string,
    lookup: Lookup,
    including: readonly string[],
  ): Promise<void> {
    const list = member(application, 'include')
    for (const item of list?.kind === 'list' ? list.items : []) {
      const paths = textsOf(item.kind === 'map' ? member(item, 'path') : item)
      const files = paths.map((text) => ({ path: resolve(folder, text.text), at: text.at }))
      const again = files.find(({ path }) => including.includes(path))
      const [first] = files
      if (first === undefined) {
        this.#mistakes.report(item.at, 'an include names no file', 'Write `path`.')
        continue
      }
      if (again !== undefined) {
        this.#mistakes.report(again.at, `${this.#show(again.path)} includes itself`, 'Remove the include.')
        continue
      }
      const chosen = textOf(member(item, 'project_directory'))
      const base = chosen === undefined ? dirname(first.path) : resolve(folder, chosen.text)
      const environment = member(item, 'env_file')
      const envFiles =
        environment === undefined
          ? null
          : textsOf(environment).map(({ text, at }) => ({ path: resolve(folder, text), at }))
      await this.#application(files, base, await this.#lookup(base, envFiles, lookup), including)
    }
  }

  /** A service with what it extends; null when that is reported. */
  async #service(document: Document, name: string, extending: readonly string[]): Promise<ComposeMap | null> {
    const identity = `${document.path}#${name}`
    const known = this.#resolved.get(identity)
    if (known !== undefined) return known
    const own = document.root.entries.get('services')?.value
    const entry = own?.kind === 'map' ? own.entries.get(name) : undefined
    if (entry === undefined) return null
    const block = entry.value.kind === 'map' ? entry.value : emptyMap(entry.key)
    const extended = member(block, 'extends')
    const base =
      extended === undefined ? null : await this.#base(document, extended, [...extending, identity])
    const entries = new Map(block.entries)
    entries.delete('extends')
    const bare: ComposeMap = { ...block, entries }
    const merged = base === null ? bare : (mergeNodes(base, bare) as ComposeMap)
    if (base !== null) this.#count(merged, entry.key)
    if (this.#parts <= mostParts) this.#resolved.set(identity, merged)
    return this.#parts <= mostParts ? merged : null
  }

  async #base(
    document: Document,
    extended: ComposeNode,
    extending: readonly string[],
  ): Promise<ComposeMap | null> {
    const service = textOf(extended.kind === 'map' ? member(extended, 'service') : extended)
    const file = textOf(member(extended, 'file'))
    if (service === undefined) {
      this.#mistakes.report(extended.at, '`extends` names no service', 'Write `extends: { service: name }`.')
      return null
    }
    const other =
      file === undefined
        ? document
        : await this.#fileToExtend(resolve(file.at.folder, file.text), document.lookup, file.at)
    if (other === null) return null
    const identity = `${other.path}#${service.text}`
    if (extending.includes(identity) || extending.length > deepestExtends) {
      const fact = extending.includes(identity) ? 'extends itself' : 'is extended too often in a row'
      this.#mistakes.report(service.at, `\`${service.text}\` ${fact}`, 'Remove the `extends`.')
      return null
    }
    const names = membersOf(member(other.root, 'services')).map(([name]) => name)
    if (!names.includes(service.text)) {
      this.#mistakes.report(
        service.at,
        `there is no service \`${service.text}\` in ${this.#show(other.path)}`,
        suggestion(service.text, names, 'Name one that is there.'),
      )
      return null
    }
    return this.#service(other, service.text, extending)
  }

  /** Its relative paths begin in its own folder. */
  #fileToExtend(path: string, lookup: Lookup, at: ComposePlace): Promise<Document | null> {
    return this.#document(path, dirname(path), lookup, at)
  }

  #count(merged: ComposeMap, at: ComposePlace): void {
    for (const { value } of merged.entries.values())
      this.#parts +=
        1 + (value.kind === 'list' ? value.items.length : value.kind === 'map' ? value.entries.size : 0)
    if (this.#parts > mostParts)
      this.#mistakes.report(
        at,
        `\`extends\` multiplies the project to more than ${mostParts} parts`,
        'Extend less.',
      )
  }

  async #document(
    path: string,
    folder: string,
    lookup: Lookup,
    at: ComposePlace | null,
  ): Promise<Document | null> {
    const identity = `${path}\0${folder}`
    const known = this.#documents.get(identity)
    if (known !== undefined) return known
    const document = await this.#readDocument(path, folder, lookup, at)
    this.#documents.set(identity, document)
    return document
  }

  async #readDocument(
    path: string,
    folder: string,
    lookup: Lookup,
    at: ComposePlace | null,
  ): Promise<Document | null> {
    const file = this.#show(path)
    const start: ComposePlace = { file, folder, line: 1, column: 1 }
    if (this.#documents.size >= mostFiles) {
      this.#mistakes.report(
        at ?? start,
        `the project has more than ${mostFiles} files`,
        'Import it in parts.',
      )
      return null
    }
    const read = await this.#source.files.read(path)
    if (!read.ok) {
      this.#mistakes.report(at ?? start, `${file} ${read.fact}`, 'Name a Compose file that can be read.')
      return null
    }
    this.#files.add(file)
    const tree = readTree(read.text, { file, folder }, this.#mistakes)
    if (tree === null) return null
    if (tree.kind !== 'map') {
      this.#mistakes.report(
        tree.at,
        'the file holds no block of keys',
        'A Compose file begins with `services:`.',
      )
      return null
    }
    checkKeys(tree, this.#mistakes)
    const root = interpolateTree(withoutExtensions(tree), {
      lookup,
      mistakes: this.#mistakes,
      used: this.#variables,
    })
    return root.kind === 'map' ? { path, root, lookup } : null
  }

  #lookup(
    folder: string,
    envFiles: readonly { readonly path: string; readonly at: ComposePlace }[] | null,
    outer: Lookup,
  ): Promise<Lookup> {
    const { files } = this.#source
    return projectLookup(folder, envFiles, outer, files, (path) => this.#show(path), this.#mistakes)
  }

  #show(path: string): string {
    const near = relative(this.#source.folder, path)
    return near === '' || near.startsWith('..') ? path : near
  }
}

/** `x-…` keys hold what only others use; anchors in them are resolved already. */
function withoutExtensions(root: ComposeMap): ComposeMap {
  return { ...root, entries: new Map([...root.entries].filter(([key]) => !key.startsWith('x-'))) }
}
