import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const example = resolve(import.meta.dirname, '../../examples/shop')

/** A copy of examples/shop that is a git repository of its own, so that the checkout stays as it is. */
export class ShopCopy {
  readonly folder: string

  constructor(folder: string, ports: { readonly staging: number; readonly production: number }) {
    this.folder = folder
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    cpSync(example, folder, { recursive: true })
    this.#edit('basalt.yaml', (text) =>
      text
        .replace(/^# yaml-language-server.*\n/, '')
        .replace('ingress: 8080', `ingress: ${ports.staging}`)
        .replace('ingress: 8090', `ingress: ${ports.production}`),
    )
    this.#git('init', '--quiet')
    this.commit('The shop')
  }

  commit(message: string): void {
    this.#git('add', '--all')
    this.#git('commit', '--quiet', '--message', message)
  }

  /** Another headline, and the stamp by which every answer says which release it comes from. */
  changePage(headline: string): void {
    this.#edit('web/page.mjs', (text) => text.replace(/(?<=const headline = ').*(?=')/, headline))
    this.#edit('basalt.yaml', (text) => text.replaceAll('RELEASE: "1"', 'RELEASE: "2"'))
  }

  #edit(path: string, change: (text: string) => string): void {
    const file = join(this.folder, path)
    writeFileSync(file, change(readFileSync(file, 'utf8')))
  }

  #git(...args: readonly string[]): void {
    const author = ['-c', 'user.name=Quickstart', '-c', 'user.email=quickstart@localhost']
    const settings = ['-c', 'commit.gpgsign=false', '-c', 'init.defaultBranch=main']
    execFileSync('git', [...author, ...settings, ...args], { cwd: this.folder })
  }
}
